// The extension as its user meets it: node e2e/run.mjs VSIX [--only=REGEXP] [--docs]. With --docs the pictures go to docs/images.
// Each file in steps/ is a story of its own; E2E_PATIENCE=4 waits four times as long, for a busy machine.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { FILES, ROOT } from "./kernels.mjs";
import { Workbench } from "./workbench.mjs";

const OUT = join(import.meta.dirname, "out");
const STORIES = [
  ...["translate", "keyboard", "several", "contract", "bugs", "repair", "jobs", "models", "tuning", "testing", "server"],
  ...["reload", "themes", "python", "restricted"],
];
const [vsix, ...options] = process.argv.slice(2);
const only = new RegExp(options.find((option) => option.startsWith("--only="))?.slice(7) ?? "");
const failures = [];
const open = new Set();
mkdirSync(OUT, { recursive: true });

/** Opens a workbench with the extension, which ends with the run. */
async function start(how) {
  const bench = await Workbench.open(resolve(vsix), FILES, how);
  open.add(bench);
  return bench;
}

/** Closes all workbenches, and says which processes of theirs are still there. */
async function close() {
  const left = [];
  for (const bench of open) left.push(...(await bench.close()));
  open.clear();
  return left;
}
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void close().then(() => process.exit(1)));

/** What the steps of a story are given; a picture of a failure is kept. */
function given(story, bench) {
  const picture = (name) => bench.picture(join(OUT, `${name}.png`));
  const step = async (name, run) => {
    const began = Date.now();
    try {
      await run();
      console.log(`ok    ${story}: ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failures.push(name);
      console.log(`FAILED ${story}: ${name}\n${error instanceof Error ? error.stack : error}`);
      await picture(`failed-${failures.length}`).catch(() => undefined); // the browser may be what failed
      await bench.page.keyboard.press("Escape").catch(() => undefined);
    }
  };
  return { bench, page: bench.page, step, picture };
}

const stories = STORIES.filter((name) => only.test(name));
const shared = stories.some((name) => name !== "restricted") ? await start() : undefined;
for (const name of stories) {
  const { tell, own } = await import(`./steps/${name}.mjs`);
  const bench = own === undefined ? shared : await start(own);
  await tell(given(name, bench));
}
const left = await close();
try {
  assert.deepEqual(left, []);
  console.log("ok    nothing of it runs on after the window is closed");
} catch (error) {
  failures.push("processes");
  console.log(`FAILED nothing of it runs on after the window is closed\n${error.message}`);
}

if (options.includes("--docs") && failures.length === 0) {
  const images = join(ROOT, "docs", "images");
  for (const name of readdirSync(images)) copyFileSync(join(OUT, name), join(images, name)); // those that a page shows
}
console.log(failures.length === 0 ? "all steps passed" : `${failures.length} steps failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
