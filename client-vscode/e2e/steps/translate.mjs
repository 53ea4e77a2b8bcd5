// Translate, compare, reject one change, check again, accept.
import assert from "node:assert/strict";
import { gemm } from "../kernels.mjs";
import { LONG, until } from "../waiting.mjs";

export async function tell({ bench, page, step, picture }) {
  await step("a kernel opens, and its state is shown beside it and above it", async () => {
    await bench.openFile("gemm.cu");
    await page.locator(".codelens-decoration a", { hasText: /Translate/ }).first().waitFor({ timeout: LONG });
    await bench.statusBar("gemm_tiled").waitFor({ timeout: LONG });
  });

  await step("right-click → Translate to HIP shows a verified translation side by side", async () => {
    await bench.contextMenu(bench.line("__global__"), "Translate to HIP");
    await page.locator(".monaco-diff-editor.side-by-side").waitFor({ timeout: LONG });
    await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
    await page.locator(".editor.modified .view-line", { hasText: "hipMalloc" }).first().waitFor();
    await picture("diff-dark");
  });

  await step("the evidence panel shows the ladder", async () => {
    await bench.palette("Xpiler: Open Evidence of Translation");
    await bench.webview().getByRole("heading", { name: /gemm\.cu → gemm\.hip/ }).waitFor();
    await bench.webview().getByText("guard pages").first().waitFor();
    await bench.webview().getByText("Verified", { exact: false }).first().waitFor();
    await picture("evidence");
    await bench.palette("View: Close Editor");
  });

  await step("matching statements light up together", async () => {
    const [there] = [page.locator(".editor.original .view-line", { hasText: "cudaMemcpy(d_A" }).first()];
    await there.click({ position: { x: 40, y: 8 } });
    // The highlight lies under the text of the other side; what is painted there carries the class of a decoration.
    await page.locator(".editor.modified .view-overlays [class*='ced-']").first().waitFor();
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
}
