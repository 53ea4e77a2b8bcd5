// The server: killed and back, and what a report says of it.
import assert from "node:assert/strict";
import { LONG, until } from "../waiting.mjs";

export async function tell({ bench, page, step }) {
  const servers = () => bench.processes().filter(({ command }) => command.includes("xpiler_server.main"));

  await step("it dies during a job and comes back: the job is told to have failed, retry works, nothing is left over", async () => {
    await bench.openFile("attention.cu");
    await bench.statusBar("self_attention").waitFor({ timeout: LONG });
    await bench.contextMenu(bench.line("__global__"), "Translate to BANG C");
    await bench.showJobs();
    await bench.row(/attention.*running/).waitFor({ timeout: LONG });
    const [server] = servers();
    assert.ok(server, "no server");
    const before = bench.processes().map(({ pid }) => pid);
    process.kill(server.pid, "SIGKILL");
    await until(() => servers().some(({ pid }) => pid !== server.pid), "a new server", LONG);
    await bench.row(/attention.*failed.*the server ended during this job/).waitFor({ timeout: LONG });
    await until(() => !bench.processes().some(({ pid }) => before.includes(pid)), "its processes have ended");
    await bench.statusBar("self_attention").waitFor({ timeout: LONG });
    await bench.press(bench.row(/attention.*failed.*the server ended/), "Retry Job");
    await bench.press(bench.row(/attention.*running/), "Cancel Job");
    await until(async () => (await bench.row(/attention.*running/).count()) === 0, "nothing runs");
  });

  await step("the sample opens, and the report says what runs the server", async () => {
    await bench.palette("Xpiler: Open Sample Kernel");
    await bench.tab("gemm_tiled.cu").waitFor();
    await page.locator(".codelens-decoration a", { hasText: /Translate/ }).first().waitFor({ timeout: LONG });
    await bench.palette("Xpiler: Collect Diagnostics");
    await bench.line("libraries: bundled").waitFor({ timeout: LONG });
    await bench.line("## Server").waitFor();
  });
}
