// A bug of the kernel: underlined while one types, with the threads that show it, and repaired.
import { LONG, until } from "../workbench.mjs";

export async function tell({ bench, page, step, picture }) {
  await step("a race is underlined with its threads; the quick fix puts the barrier in, and it is gone", async () => {
    await bench.closeEditors();
    await bench.openFile("blur.cu");
    const squiggle = page.locator(".squiggly-error").first();
    await page.locator(".codelens-decoration a", { hasText: "Check: bugs" }).first().waitFor({ timeout: LONG });
    await squiggle.waitFor();
    const hover = page.locator(".monaco-hover:visible", { hasText: "threadIdx.x" }).first();
    let box;
    await until(async () => {
      await page.mouse.move(10, 880);
      box = await squiggle.boundingBox(); // lenses above it may have moved it
      if (box === null) return false;
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2, { steps: 5 });
      return hover.waitFor({ timeout: 5000 }).then(() => true, () => false);
    }, "the hover over the race", LONG);
    await picture("bug");
    await page.mouse.move(10, 880);
    await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    await bench.quickFix("__syncthreads", () => picture("quick-fix"));
    await bench.line("__syncthreads();").waitFor();
    await squiggle.waitFor({ state: "detached", timeout: LONG });
    await page.locator(".codelens-decoration a", { hasText: "Check: clean" }).first().waitFor({ timeout: LONG });
    await page.keyboard.press("Control+s");
    await until(() => bench.read("blur.cu").includes("__syncthreads();"), "the fix on disk");
    await picture("fixed");
  });
}
