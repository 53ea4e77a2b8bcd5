// No Python where the settings say that it is.
import assert from "node:assert/strict";
import { LONG } from "../waiting.mjs";

export const own = { settings: { "xpiler.server.python": "/nowhere/python3" } };

export async function tell({ bench, page, step, picture }) {
  await step("one message says what to do", async () => {
    await bench.openFile("add.cu"); // the extension sleeps until there is a kernel
    const toast = bench.toast("/nowhere/python3");
    await toast.waitFor({ timeout: LONG });
    for (const name of ["Select Interpreter", "Open Settings", "Show Log"]) {
      await toast.getByRole("button", { name }).waitFor();
    }
    assert.equal(await page.locator(".notifications-toasts .notification-list-item", { hasText: /ENOENT/ }).count(), 0);
    await picture("no-python");
  });
}
