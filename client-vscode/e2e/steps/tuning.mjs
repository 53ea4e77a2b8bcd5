// Tuning in the background: drawn as it goes on, paused, gone on with after a reload, its best compared and accepted.
import { LONG, until } from "../waiting.mjs";

export async function tell({ bench, page, step, picture }) {
  const view = () => bench.webview();

  await step("a search is drawn as it goes on, and rests", async () => {
    await bench.openFile("gemm.cu");
    await bench.palette("Xpiler: Tune in Background…");
    await bench.question("Tune for").getByRole("option", { name: /^C \+ AVX-512/ }).waitFor({ timeout: LONG });
    await bench.pick(/^C \+ AVX-512/);
    await bench.answer("Sizes to tune for", "M=96, N=96, K=96");
    await view().locator("polyline").waitFor({ timeout: LONG });
    await until(async () => (await view().locator("circle").count()) >= 3, "three programs were measured", LONG);
    await picture("tuning");
    await view().getByRole("button", { name: "Pause" }).click();
    await view().getByRole("button", { name: "Resume" }).waitFor({ timeout: LONG });
    await bench.row(/Tune gemm\.cu.*paused/).waitFor();
  });

  await step("a reloaded window has the search where it was, and goes on with it", async () => {
    await bench.reopen({});
    await bench.showJobs();
    await bench.row(/Tune gemm\.cu.*paused/).waitFor({ timeout: LONG });
    await view().locator("polyline").waitFor({ timeout: LONG });
    await view().getByRole("button", { name: "Resume" }).click();
    await view().getByRole("button", { name: "Pause" }).waitFor({ timeout: LONG });
  });

  await step("its best program is compared as a diff, and the search is cancelled", async () => {
    await view().getByRole("button", { name: "Compare Best…" }).click();
    await page.locator(".editor.modified .view-line", { hasText: "immintrin.h" }).first().waitFor({ timeout: LONG });
    await bench.press(bench.row(/Tune gemm\.cu.*(running|queued)/), "Cancel Job");
    await bench.row(/Tune gemm\.cu.*cancelled/).waitFor();
    await view().getByRole("button", { name: "Retry" }).waitFor();
    await bench.palette("Xpiler: Discard Translation");
  });
}
