// The Testing view: each kernel and platform is a test.
import { LONG } from "../waiting.mjs";

export async function tell({ bench, page, step, picture }) {
  await step("it has every kernel and platform, and runs one", async () => {
    await bench.openFile("add.cu");
    await bench.palette("Testing: Focus on Test Explorer View");
    const item = (name) => page.locator(".test-explorer .monaco-list-row", { hasText: name }).first();
    for (const name of ["add.cu", "add_kernel"]) {
      await item(name).click({ timeout: LONG });
      await page.keyboard.press("ArrowRight");
    }
    for (const name of ["HIP", "BANG C", "C + AVX-512"]) await item(name).waitFor();
    await item("HIP").hover();
    await item("HIP").getByRole("button", { name: /^Run Test/ }).click();
    await page.locator(".test-explorer .monaco-list-row", { hasText: "HIP" }).getByText(/tested|proved/).waitFor({ timeout: LONG });
    await page.locator(".test-explorer .monaco-list-row .codicon-testing-passed-icon").first().waitFor();
    await picture("testing");
    await bench.showExplorer();
    await page.locator(".codelens-decoration a", { hasText: /HIP: (tested|proved)$/ }).first().waitFor({ timeout: LONG });
    await picture("kernel");
  });
}
