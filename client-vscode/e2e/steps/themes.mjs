// Light and high contrast, to be looked at.
import { LONG } from "../waiting.mjs";

const THEMES = [
  ["Default Light Modern", "light", "vs"],
  ["Default High Contrast", "contrast", "hc-black"],
];

export async function tell({ bench, page, step, picture }) {
  for (const [theme, name, kind] of THEMES) {
    await step(`${name} theme`, async () => {
        await bench.reopen({ "workbench.colorTheme": theme });
      await bench.openFile("gemm.cu");
      await page.locator(`.monaco-workbench.${kind}`).waitFor();
      await bench.contextMenu(bench.line("__global__"), "Translate to HIP");
      await page.locator(".monaco-diff-editor.side-by-side").waitFor({ timeout: LONG });
      await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
      await page.locator(".editor.original .view-line", { hasText: "cudaMemcpy(d_A" }).first().click({ position: { x: 40, y: 8 } });
      await page.locator(".editor.modified .view-overlays [class*='ced-']").first().waitFor();
      await picture(`diff-${name}`);
      await bench.palette("Xpiler: Open Evidence of Translation");
      await bench.webview().getByText("guard pages").first().waitFor();
      await picture(`evidence-${name}`);
    });
  }
}
