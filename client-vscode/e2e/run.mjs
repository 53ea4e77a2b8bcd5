// The extension as its user meets it: node e2e/run.mjs VSIX [--only=REGEXP] [--docs]. With --docs the pictures go to docs/images.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { LONG, sleep, until, Workbench } from "./workbench.mjs";

const ROOT = resolve(import.meta.dirname, "..", "..");
const OUT = join(import.meta.dirname, "out");
const [vsix, ...options] = process.argv.slice(2);
const only = new RegExp(options.find((option) => option.startsWith("--only="))?.slice(7) ?? "");
const gemm = readFileSync(join(ROOT, "snippets/cuda/gemm_tiled.cu"), "utf8");
const attention = readFileSync(join(ROOT, "snippets/cuda/self_attention.cu"), "utf8");
const add = readFileSync(join(ROOT, "snippets/cuda/add.cu"), "utf8");
// Without a barrier between the write of a tile and the read of a neighbour's part of it.
const blur = `#include <cuda_runtime.h>

__global__ void blur(const float *x, float *y, int n) {
  __shared__ float s[256];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  s[threadIdx.x] = i < n ? x[i] : 0.0f;
  float left = threadIdx.x > 0 ? s[threadIdx.x - 1] : 0.0f;
  if (i < n) y[i] = 0.5f * (left + s[threadIdx.x]);
}

extern "C" void launch_blur(const float *x, float *y, int n) {
  float *d_x, *d_y;
  cudaMalloc(&d_x, n * sizeof(float));
  cudaMalloc(&d_y, n * sizeof(float));
  cudaMemcpy(d_x, x, n * sizeof(float), cudaMemcpyHostToDevice);
  blur<<<(n + 255) / 256, 256>>>(d_x, d_y, n);
  cudaMemcpy(y, d_y, n * sizeof(float), cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_y);
}
`;

mkdirSync(OUT, { recursive: true });
const bench = await Workbench.open(resolve(vsix), {
  "gemm.cu": gemm,
  "blur.cu": blur,
  "attention.cu": attention,
  "add.cu": add,
});
const { page } = bench;
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => bench.close().then(() => process.exit(1)));
const failures = [];

/** One thing that a user does; a picture of a failure is kept. */
async function step(name, run) {
  if (!only.test(name)) return;
  const start = Date.now();
  try {
    await run();
    console.log(`ok    ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failures.push(name);
    console.log(`FAILED ${name}\n${error instanceof Error ? error.stack : error}`);
    await picture(`failed-${failures.length}`);
    await page.keyboard.press("Escape");
  }
}

async function picture(name) {
  await page.screenshot({ path: join(OUT, `${name}.png`) });
}

await step("a kernel opens, and its state is shown beside it and above it", async () => {
  await bench.openFile("gemm.cu");
  await page.locator(".codelens-decoration a", { hasText: /Translate/ }).first().waitFor({ timeout: LONG });
  await bench.statusBar("gemm_tiled").waitFor();
});

await step("right-click → Translate to HIP shows a verified translation side by side", async () => {
  await bench.contextMenu(bench.line("__global__"), "Translate to HIP");
  await page.locator(".monaco-diff-editor.side-by-side").waitFor({ timeout: LONG });
  await bench.statusBar("Translation verified").waitFor();
  await page.locator(".editor.modified .view-line", { hasText: "hipMalloc" }).first().waitFor();
  await sleep(500);
  await picture("diff-dark");
});

await step("the evidence panel shows the ladder", async () => {
  await bench.palette("Xpiler: Open Evidence of Translation");
  await bench.webview().getByRole("heading", { name: /gemm\.cu → gemm\.hip/ }).waitFor();
  await bench.webview().getByText("guard pages").first().waitFor();
  await bench.webview().getByText("Verified", { exact: false }).first().waitFor();
  await sleep(300);
  await picture("evidence");
  await bench.palette("View: Close Editor");
});

await step("matching statements light up together", async () => {
  await page.locator(".editor.original .view-line", { hasText: "cudaMemcpy(d_A" }).first().click({ position: { x: 40, y: 8 } });
  // The highlight lies under the text of the other side; what is painted there carries the class of a decoration.
  await page.locator(".editor.modified .view-overlays [class*='ced-']").first().waitFor();
  await sleep(300);
  await picture("matching");
});

await step("rejecting one hunk ends the verification, and checking again restores a verdict", async () => {
  const hunks = page.locator(".gutterItem");
  await hunks.nth(0).hover();
  await hunks.nth(0).locator(".action-label[aria-label='Revert Block']").click();
  await page.locator(".tab.active.dirty").waitFor();
  await bench.statusBar("Translation edited").waitFor();
  assert.equal(await bench.statusBar("Translation verified").count(), 0);
  await picture("edited");
  await page.getByRole("button", { name: /^Verify Edited Translation/ }).first().click();
  await page.locator(".statusbar-item", { hasText: /Translation (verified|unverified)/ }).waitFor({ timeout: LONG });
});

await step("Accept writes the file with that hunk as it was, and undo takes it back", async () => {
  await page.getByRole("button", { name: /^Accept Translation/ }).first().click();
  const anyway = page.getByRole("button", { name: "Accept Anyway" });
  await Promise.race([anyway.waitFor().then(() => anyway.click()), bench.tab("gemm.hip").waitFor()]).catch(() => undefined);
  await until(() => bench.has("gemm.hip") && bench.read("gemm.hip").includes("hipMalloc"), "gemm.hip on disk");
  const accepted = bench.read("gemm.hip");
  const [first] = gemm.split("\n").filter((line) => line.startsWith("#include"));
  assert.ok(accepted.includes(first), `the rejected line is not there: ${first}`);
  await bench.tab("gemm.hip").waitFor();
  await page.locator(".editor-instance .view-lines").first().click();
  await page.keyboard.press("Control+z");
  await page.locator(".tab.active.dirty").waitFor();
  await page.keyboard.press("Control+Shift+z");
  await page.keyboard.press("Control+s");
  await until(() => bench.read("gemm.hip") === accepted, "the file is as accepted");
});

await step("by keyboard alone: translate, reject a change, discard", async () => {
  await bench.closeEditors();
  await bench.openFile("add.cu");
  await page.locator(".editor-instance .view-lines").first().click();
  await bench.palette("Xpiler: Translate to BANG C");
  await page.locator(".monaco-diff-editor").waitFor({ timeout: LONG });
  await bench.statusBar("Translation verified").waitFor();
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("Control+Alt+r");
  await bench.statusBar("Translation edited").waitFor();
  await page.keyboard.press("Control+Alt+Backspace");
  await page.locator(".monaco-diff-editor").waitFor({ state: "detached" });
  assert.equal(bench.has("add.mlu"), false);
});

await step("a race is underlined with its threads; the quick fix puts the barrier in, and it is gone", async () => {
  await bench.closeEditors();
  await bench.openFile("blur.cu");
  const squiggle = page.locator(".squiggly-error").first();
  await page.locator(".codelens-decoration a", { hasText: "Check: bugs" }).first().waitFor({ timeout: LONG });
  await squiggle.waitFor();
  await sleep(500);
  const hover = page.locator(".monaco-hover:visible", { hasText: "threadIdx.x" }).first();
  let box;
  await until(async () => {
    await page.mouse.move(10, 880);
    box = await squiggle.boundingBox(); // lenses above it may have moved it
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 5 });
    return hover.waitFor({ timeout: 5000 }).then(() => true, () => false);
  }, "the hover over the race");
  await sleep(500);
  await picture("bug");
  await page.mouse.move(10, 880);
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await page.locator(".lightBulbWidget").first().waitFor();
  const fix = page.locator(".action-widget .monaco-list-row", { hasText: "__syncthreads" }).first();
  await until(async () => {
    await page.keyboard.press("Control+.");
    return fix.waitFor({ timeout: 5000 }).then(() => true, () => false);
  }, "the quick fix");
  await sleep(300);
  await picture("quick-fix");
  await fix.click();
  await bench.line("__syncthreads();").waitFor();
  await squiggle.waitFor({ state: "detached", timeout: LONG });
  await page.locator(".codelens-decoration a", { hasText: "Check: clean" }).first().waitFor({ timeout: LONG });
  await page.keyboard.press("Control+s");
  await until(() => bench.read("blur.cu").includes("__syncthreads();"), "the fix on disk");
  await picture("fixed");
});

await step("a job is cancelled, and the Jobs view says so", async () => {
  await bench.palette("File: Revert File");
  await bench.closeEditors();
  await bench.openFile("attention.cu");
  await page.locator(".editor-instance .view-line").first().waitFor();
  await bench.contextMenu(bench.line("__global__"), "Translate to BANG C");
  const toast = page.locator(".notifications-toasts .notification-list-item", { hasText: "Translating" });
  await toast.waitFor();
  await page.getByRole("tab", { name: "Xpiler", exact: true }).click();
  await page.getByRole("treeitem", { name: /attention.*running/ }).first().waitFor();
  await picture("jobs");
  await toast.hover();
  await toast.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("treeitem", { name: /attention.*cancelled/ }).first().waitFor();
  await toast.waitFor({ state: "detached" });
  await picture("jobs-cancelled");
});

await step("the Testing view has every kernel and platform, and runs one", async () => {
  await page.getByRole("tab", { name: "Explorer" }).first().click();
  await bench.closeEditors();
  await bench.openFile("add.cu");
  await bench.palette("Testing: Focus on Test Explorer View");
  const item = (name) => page.locator(".test-explorer .monaco-list-row", { hasText: name }).first();
  for (const name of ["add.cu", "add_kernel"]) {
    await item(name).click();
    await page.keyboard.press("ArrowRight");
  }
  for (const name of ["HIP", "BANG C", "C + AVX-512"]) await item(name).waitFor();
  await item("HIP").hover();
  await item("HIP").getByRole("button", { name: /^Run Test/ }).click();
  await page.locator(".test-explorer .monaco-list-row", { hasText: "HIP" }).getByText(/tested|proved/).waitFor({ timeout: LONG });
  await page.locator(".test-explorer .monaco-list-row .codicon-testing-passed-icon").first().waitFor();
  await picture("testing");
  await page.getByRole("tab", { name: "Explorer" }).first().click();
  await page.locator(".codelens-decoration a", { hasText: /HIP: (tested|proved)$/ }).first().waitFor({ timeout: LONG });
  await picture("kernel");
});

await step("the server dies and comes back; nothing it said is shown as true meanwhile", async () => {
  await bench.closeEditors();
  await bench.openFile("gemm.cu");
  await bench.statusBar("gemm_tiled").waitFor({ timeout: LONG });
  const [server] = bench.processes().filter(({ command }) => command.includes("xpiler_server.main"));
  assert.ok(server, "no server");
  process.kill(server.pid, "SIGKILL");
  await until(
    () => bench.processes().some(({ pid, command }) => command.includes("xpiler_server.main") && pid !== server.pid),
    "a new server",
    LONG,
  );
  await bench.statusBar("gemm_tiled").waitFor({ timeout: LONG });
});

await step("the sample opens, and the report says what runs the server", async () => {
  await bench.closeEditors();
  await bench.palette("Xpiler: Open Sample Kernel");
  await bench.tab("gemm_tiled.cu").waitFor();
  await page.locator(".codelens-decoration a", { hasText: /Translate/ }).first().waitFor({ timeout: LONG });
  await bench.palette("Xpiler: Collect Diagnostics");
  await bench.line("libraries: bundled").waitFor({ timeout: LONG });
  await bench.line("## Server").waitFor();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete"); // an unsaved editor without a text closes without a question
});

await step("a reloaded window has the translation still, and does not call it verified before it is", async () => {
  await bench.closeEditors();
  await bench.openFile("add.cu");
  await bench.contextMenu(bench.line("__global__"), "Translate to C + AVX-512");
  await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
  await bench.reopen({});
  await page.locator(".editor.modified .view-line", { hasText: "immintrin.h" }).first().waitFor({ timeout: LONG });
  await page.locator(".editor.modified .view-lines").click();
  await bench.statusBar("Translation not checked again").waitFor({ timeout: LONG });
  await page.getByRole("button", { name: /^Verify Edited Translation/ }).first().click();
  await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
});

for (const [theme, name, kind] of [
  ["Default Light Modern", "light", "vs"],
  ["Default High Contrast", "contrast", "hc-black"],
]) {
  await step(`${name} theme`, async () => {
    await bench.closeEditors();
    await bench.reopen({ "workbench.colorTheme": theme });
    await bench.openFile("gemm.cu");
    await page.locator(`.monaco-workbench.${kind}`).waitFor();
    await bench.contextMenu(bench.line("__global__"), "Translate to HIP");
    await page.locator(".monaco-diff-editor.side-by-side").waitFor({ timeout: LONG });
    await bench.statusBar("Translation verified").waitFor();
    await page.locator(".editor.original .view-line", { hasText: "cudaMemcpy(d_A" }).first().click({ position: { x: 40, y: 8 } });
    await sleep(500);
    await picture(`diff-${name}`);
    await bench.palette("Xpiler: Open Evidence of Translation");
    await bench.webview().getByText("guard pages").first().waitFor();
    await picture(`evidence-${name}`);
  });
}

await step("without Python, one message says what to do", async () => {
  await bench.reopen({ "xpiler.server.python": "/nowhere/python3" });
  const toast = page.locator(".notifications-toasts .notification-list-item", { hasText: "/nowhere/python3" });
  await toast.waitFor({ timeout: LONG });
  for (const name of ["Select Interpreter", "Open Settings", "Show Log"]) {
    await toast.getByRole("button", { name }).waitFor();
  }
  assert.equal(await page.locator(".notifications-toasts .notification-list-item", { hasText: /ENOENT/ }).count(), 0);
  await picture("no-python");
});

const left = await bench.close();
await step("nothing of it runs on after the window is closed", () => {
  assert.deepEqual(left, []);
  return Promise.resolve();
});

if (options.includes("--docs") && failures.length === 0) {
  const images = join(ROOT, "docs", "images");
  for (const name of readdirSync(images)) copyFileSync(join(OUT, name), join(images, name)); // those that a page shows
}
console.log(failures.length === 0 ? "all steps passed" : `${failures.length} steps failed`);
process.exitCode = failures.length === 0 ? 0 : 1;
