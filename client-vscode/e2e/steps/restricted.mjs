// A workspace that is not trusted: read and translated, but nothing of it is run, until it is.
import { LONG } from "../waiting.mjs";

export const own = { trusted: false };

export async function tell({ bench, page, step, picture }) {
  await step("a kernel is translated, and not called verified", async () => {
    await bench.openFile("add.cu");
    await page.locator(".statusbar-item", { hasText: "Restricted Mode" }).waitFor();
    await page.locator(".codelens-decoration a", { hasText: /Translate/ }).first().waitFor({ timeout: LONG });
    await bench.contextMenu(bench.line("__global__"), "Translate to HIP");
    await page.locator(".editor.modified .view-line", { hasText: "hipMalloc" }).first().waitFor({ timeout: LONG });
    await bench.statusBar("Translation unverified").waitFor({ timeout: LONG });
    await picture("restricted");
    await bench.palette("Xpiler: Open Evidence of Translation");
    await bench.webview().getByText("not run: the workspace isn't trusted").first().waitFor();
    await bench.palette("View: Close Editor");
  });

  await step("it is not verified on request either", async () => {
    await bench.palette("Xpiler: Verify Edited Translation");
    await bench.toast("isn't trusted").waitFor({ timeout: LONG });
    await bench.statusBar("Translation unverified").waitFor({ timeout: LONG });
    await bench.clearToasts();
  });

  await step("once it is trusted the same translation is verified", async () => {
    await bench.palette("Workspaces: Manage Workspace Trust");
    await page.locator(".workspace-trust-editor").getByRole("button", { name: "Trust", exact: true }).click();
    await page.locator(".statusbar-item", { hasText: "Restricted Mode" }).waitFor({ state: "detached" });
    await bench.palette("View: Close Editor");
    await bench.palette("Xpiler: Verify Edited Translation");
    await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
  });
}
