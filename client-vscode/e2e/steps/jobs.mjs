// Jobs: cancelled, killed from outside, tried again.
import assert from "node:assert/strict";
import { LONG, until } from "../waiting.mjs";

export async function tell({ bench, page, step, picture }) {
  const busy = () => bench.processes().filter(({ command }) => /xpiler_server\.engine 5/.test(command));
  const toast = () => bench.toast("Translating");

  await step("a job is cancelled, and the Jobs view says so", async () => {
    await bench.openFile("attention.cu");
    await bench.contextMenu(bench.line("__global__"), "Translate to BANG C");
    await toast().waitFor({ timeout: LONG });
    await bench.showJobs();
    await bench.row(/attention.*running/).waitFor();
    await picture("jobs");
    await toast().hover();
    await toast().getByRole("button", { name: "Cancel" }).click();
    await bench.row(/attention.*cancelled/).waitFor();
    await toast().waitFor({ state: "detached" });
    await picture("jobs-cancelled");
  });

  await step("a process that is killed is told with its reason; retry works, and is cancelled in the list", async () => {
    await bench.contextMenu(bench.line("__global__"), "Translate to BANG C");
    await bench.row(/attention.*running/).waitFor({ timeout: LONG });
    await until(() => busy().length > 0, "the job's process");
    for (const { pid } of busy()) process.kill(pid, "SIGKILL");
    await bench.row(/attention.*failed.*killed by SIGKILL/).waitFor();
    await bench.toast("killed by SIGKILL").waitFor();
    await bench.press(bench.row(/attention.*failed/), "Retry Job");
    await bench.row(/attention.*running/).waitFor();
    await bench.press(bench.row(/attention.*running/), "Cancel Job");
    await until(async () => (await bench.row(/attention.*running/).count()) === 0, "nothing runs");
    await until(() => busy().length === 0, "its processes have ended");
    assert.ok((await page.getByRole("treeitem", { name: /attention.*cancelled/ }).count()) >= 2);
  });
}
