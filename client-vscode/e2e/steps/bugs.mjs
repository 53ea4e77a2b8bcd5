// A bug of the kernel: underlined while one types, with the threads that show it, and repaired.
import { LONG, until } from "../waiting.mjs";

export async function tell({ bench, page, step, picture }) {
  const squiggle = page.locator(".squiggly-error").first();
  let place;

  await step("a race is underlined, and the words about it name its threads", async () => {
    await bench.openFile("blur.cu");
    await page.locator(".codelens-decoration a", { hasText: "Check: bugs" }).first().waitFor({ timeout: LONG });
    await squiggle.waitFor();
    place = await bench.hover(squiggle, "threadIdx.x");
    await picture("bug");
  });

  await step("the repair is suggested in its line, in grey", async () => {
    await bench.line("float left").click();
    await page.keyboard.press("Home");
    await page.locator(".ghost-text, .ghost-text-decoration", { hasText: "__syncthreads" }).first().waitFor({ timeout: LONG });
    await picture("suggestion");
    await page.keyboard.press("Escape");
  });

  await step("the quick fix puts the barrier in, and the race is gone", async () => {
    await page.mouse.move(10, 880);
    await page.mouse.click(place.x, place.y);
    await bench.quickFix("__syncthreads", () => picture("quick-fix"));
    await bench.line("__syncthreads();").waitFor();
    await squiggle.waitFor({ state: "detached", timeout: LONG });
    await page.locator(".codelens-decoration a", { hasText: "Check: clean" }).first().waitFor({ timeout: LONG });
    await page.keyboard.press("Control+s");
    await until(() => bench.read("blur.cu").includes("__syncthreads();"), "the fix on disk");
    await picture("fixed");
  });
}
