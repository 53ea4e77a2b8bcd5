// All of it without a mouse.
import assert from "node:assert/strict";
import { LONG, until } from "../waiting.mjs";

export async function tell({ bench, page, step }) {
  await step("open, translate, reject a change, discard", async () => {
    await bench.quickOpen("add.cu");
    await bench.palette("Xpiler: Translate to BANG C");
    await page.locator(".monaco-diff-editor").waitFor({ timeout: LONG });
    await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
    await page.keyboard.press("Control+Home");
    await page.keyboard.press("Control+Alt+r");
    await bench.statusBar("Translation edited").waitFor();
    await page.keyboard.press("Control+Alt+Backspace");
    await page.locator(".monaco-diff-editor").waitFor({ state: "detached" });
    assert.equal(bench.has("add.mlu"), false);
  });

  await step("translate with the shortcut and the list, look at the evidence, accept", async () => {
    await page.keyboard.press("Control+1");
    await page.keyboard.press("Control+Alt+t");
    await page.locator(".quick-input-widget").getByRole("option", { name: /^BANG C/ }).waitFor();
    await page.keyboard.type("BANG");
    await page.keyboard.press("Enter");
    await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
    await bench.palette("Xpiler: Open Evidence of Translation");
    await bench.webview().getByRole("heading", { name: /add\.cu → add\.mlu/ }).waitFor();
    await bench.palette("View: Close Editor");
    await page.locator("iframe.webview.ready").waitFor({ state: "detached" });
    await page.keyboard.press("Control+Alt+Enter");
    await until(() => bench.has("add.mlu") && bench.read("add.mlu").includes("__mlu"), "add.mlu on disk");
    await bench.tab("add.mlu").waitFor();
  });
}
