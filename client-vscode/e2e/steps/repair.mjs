// An accepted translation that is broken afterwards: underlined against its source, and repaired.
import assert from "node:assert/strict";
import { LONG, until } from "../waiting.mjs";

export async function tell({ bench, page, step, picture }) {
  let accepted;

  await step("an accepted translation is broken: underlined where it differs from its source", async () => {
    await bench.openFile("saxpy.cu");
    await bench.contextMenu(bench.line("__global__"), "Translate to HIP");
    await page.getByRole("button", { name: /^Accept Translation/ }).first().waitFor({ timeout: LONG });
    await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
    await page.getByRole("button", { name: /^Accept Translation/ }).first().click();
    await bench.acceptAnyway(() => bench.has("saxpy.hip"));
    await bench.tab("saxpy.hip").waitFor();
    accepted = bench.read("saxpy.hip");
    assert.ok(accepted.includes("+ y[i]"));
    bench.write("saxpy.hip", accepted.replace("+ y[i]", "- y[i]"));
    await bench.line("- y[i]").waitFor();
    await page.locator(".squiggly-error").first().waitFor({ timeout: LONG });
    await picture("differs");
  });

  await step("the verified repair is applied, and nothing is underlined any more", async () => {
    await bench.line("- y[i]").click();
    await page.keyboard.press("End");
    await bench.quickFix("Apply repair (verified)", () => picture("repair"));
    await bench.line("+ y[i]").waitFor();
    await page.locator(".squiggly-error").first().waitFor({ state: "detached", timeout: LONG });
    await page.keyboard.press("Control+s");
    await until(() => bench.read("saxpy.hip") === accepted, "the file is as it was accepted");
  });
}
