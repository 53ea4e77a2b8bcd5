// The extension as its user meets it: node e2e/run.mjs VSIX [--only=REGEXP] [--failed] [--docs]
//
// Each file in steps/ is a story with a window of its own; a story that fails ends there, and the next begins. `--failed` tells
// those again that did not pass in the last run. Of a story that fails out/ has a picture and the server's log; with --docs all
// pictures are taken, and those that a page shows go to docs/images. E2E_PATIENCE=4 waits four times as long.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Host } from "./host.mjs";
import { FILES, ROOT } from "./kernels.mjs";

const OUT = join(import.meta.dirname, "out");
const REPORT = join(OUT, "report.json");
const STORIES = [
  ...["translate", "keyboard", "several", "contract", "bugs", "repair", "jobs", "models", "tuning", "testing", "server"],
  ...["reload", "themes", "python", "restricted"],
];
const [vsix, ...options] = process.argv.slice(2);
const only = new RegExp(options.find((option) => option.startsWith("--only="))?.slice(7) ?? "");
const isForDocs = options.includes("--docs");
const passedBefore = options.includes("--failed") && existsSync(REPORT) ? JSON.parse(readFileSync(REPORT, "utf8")).passed : [];
const stories = STORIES.filter((name) => only.test(name) && !passedBefore.includes(name));
const passed = [...passedBefore];
const report = [];
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/** Tells a story in a window of its own; what went wrong in it, if anything did. */
async function told(host, story) {
  const { tell, own } = await import(`./steps/${story}.mjs`);
  let name = "a window opens";
  let bench;
  const step = async (title, run) => {
    name = title;
    const began = Date.now();
    await run();
    console.log(`ok     ${story}: ${title} (${seconds(began)})`);
  };
  const picture = async (file) => {
    if (isForDocs) await bench.picture(join(OUT, `${file}.png`));
  };
  try {
    bench = await host.window(story, { ...FILES, ...own?.files }, own);
    await tell({ bench, page: bench.page, step, picture });
    name = "nothing of it runs on after the window is closed";
    const left = await host.closeWindow();
    if (left.length > 0) throw new Error(left.join("\n"));
    return undefined;
  } catch (error) {
    console.log(`FAILED ${story}: ${name}\n${error instanceof Error ? error.stack : error}`);
    await bench?.page.screenshot({ path: join(OUT, `failed-${story}.png`) }).catch(() => undefined); // the browser may be what failed
    writeFileSync(join(OUT, `failed-${story}.log`), host.log());
    return `${name}: ${String(error instanceof Error ? error.message : error).split("\n")[0]}`;
  }
}

mkdirSync(OUT, { recursive: true });
const host = await Host.start(resolve(vsix));
let isEnding = false;
const end = () => {
  isEnding = true;
  void host.browser.close(); // the story under way fails, and no other begins
};
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, end);
let isSound = true;
for (const story of stories) {
  if (isEnding) break;
  const began = Date.now();
  if (!isSound) await host.restart();
  const wrong = await told(host, story);
  isSound = wrong === undefined;
  if (isSound) passed.push(story);
  report.push({ story, wrong, time: seconds(began) });
  writeFileSync(REPORT, JSON.stringify({ passed }));
}
await host.close();

console.log();
for (const { story, wrong, time } of report) {
  console.log(wrong === undefined ? `ok     ${story} (${time})` : `FAILED ${story} (${time}) ${wrong}; e2e/out/failed-${story}.png and .log`);
}
const failed = report.filter(({ wrong }) => wrong !== undefined);
if (isForDocs && failed.length === 0) {
  const images = join(ROOT, "docs", "images");
  for (const name of readdirSync(images)) if (existsSync(join(OUT, name))) copyFileSync(join(OUT, name), join(images, name));
}
const isComplete = failed.length === 0 && report.length === stories.length;
console.log(isComplete ? `all ${report.length} stories passed` : `${stories.length - passed.length + passedBefore.length} of ${stories.length} stories did not pass`);
process.exitCode = isComplete ? 0 : 1;
