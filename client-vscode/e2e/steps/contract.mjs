// What only the user knows is asked for, and kept beside the kernel.
import assert from "node:assert/strict";
import { LONG, until } from "../waiting.mjs";

export async function tell({ bench, page, step, picture }) {
  await step("the launch is asked for and kept in the sidecar", async () => {
    await bench.openFile("twice.cu");
    await bench.contextMenu(bench.line("__global__"), "Translate to C + AVX-512");
    await bench.question().waitFor({ timeout: LONG });
    await picture("contract");
    await until(async () => {
      if (await bench.statusBar("Translation verified").isVisible()) return true;
      if (!(await bench.question().isVisible())) return false;
      const asked = await bench.question().innerText();
      await bench.question().locator("input").fill(/called with: grid/.test(asked) ? "4" : "64");
      await page.keyboard.press("Enter");
      return false;
    }, "all questions are answered", LONG);
    const sidecar = bench.read("twice.xpiler.toml");
    assert.match(sidecar, /grid = \[4\]/);
    assert.match(sidecar, /block = \[64\]/);
  });

  await step("Accept As… writes it where the user says", async () => {
    await bench.palette("Xpiler: Accept Translation As…");
    const path = page.locator(".quick-input-widget input");
    await path.waitFor();
    await until(async () => (await path.inputValue()).includes("twice.cpp"), "the suggested path");
    await path.fill(`${bench.workspace}/twice_avx.cpp`);
    await page.keyboard.press("Enter");
    await until(() => bench.has("twice_avx.cpp") && bench.read("twice_avx.cpp").includes("twice"), "twice_avx.cpp on disk");
    await bench.tab("twice_avx.cpp").waitFor();
    assert.equal(bench.has("twice.cpp"), false);
  });
}
