// A window that is reloaded: accepted files are what they were, finished results are found.
import { LONG, until } from "../waiting.mjs";

export async function tell({ bench, page, step }) {
  await step("an accepted file is still known as the translation of its source, and still verified", async () => {
    await bench.openFile("add.cu");
    await bench.contextMenu(bench.line("__global__"), "Translate to HIP");
    await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
    await page.getByRole("button", { name: /^Accept Translation/ }).first().click();
    await bench.acceptAnyway(() => bench.has("add.hip"));
    await bench.tab("add.hip").waitFor();
    const state = page.locator(".codelens-decoration", { hasText: /from add\.cu: verified$/ }).first();
    await state.waitFor({ timeout: LONG });
    const accepted = bench.read("add.hip");
    await bench.reopen({});
    await bench.openFile("add.hip");
    await state.waitFor({ timeout: LONG });
    await until(() => bench.read("add.hip") === accepted, "the file is as accepted");
  });

  await step("a finished translation is found in the list, as verified as it was", async () => {
    await bench.closeEditors();
    await bench.openFile("add.cu");
    await bench.contextMenu(bench.line("__global__"), "Translate to C + AVX-512");
    await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
    await bench.reopen({});
    await bench.showJobs();
    await bench.row(/Translate add\.cu to C.*done/).click({ timeout: LONG });
    await page.locator(".editor.modified .view-line", { hasText: "immintrin.h" }).first().waitFor({ timeout: LONG });
    await page.locator(".editor.modified .view-lines").click();
    await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
  });

  await step("with another text of the source it is not", async () => {
    await page.locator(".editor.original .view-lines").click();
    await page.keyboard.press("Control+Home");
    await page.keyboard.type(" ");
    await bench.statusBar("Translation stale").waitFor();
    await page.keyboard.press("Control+z");
    await bench.statusBar("Translation verified").waitFor();
  });
}
