// Several files of the Explorer at once, each accepted or discarded by itself.
import assert from "node:assert/strict";
import { LONG, until } from "../waiting.mjs";

export async function tell({ bench, page, step, picture }) {
  const decided = (name) => page.getByRole("treeitem", { name: new RegExp(`^${name} from`) }).first();

  await step("files that are selected in the Explorer are translated together", async () => {
    await bench.contextMenu(await bench.selectFiles("saxpy.cu", "scale.cu", "twice.cu"), "Translate to HIP");
    await bench.toast("3 of 3 files translated").waitFor({ timeout: LONG });
    await bench.tab("3 translations").waitFor();
    await bench.toast("3 of 3 files translated").getByRole("button", { name: "Choose…" }).waitFor();
  });

  await step("one is accepted and one discarded, and the editor goes on with the other", async () => {
    await bench.showJobs();
    await decided("scale.hip").waitFor();
    await picture("several");
    await bench.press(decided("saxpy.hip"), /^Accept Translation/);
    await bench.acceptAnyway(() => bench.has("saxpy.hip"));
    await bench.tab("2 translations").waitFor();
    await bench.press(decided("twice.hip"), /^Discard Translation/);
    await decided("twice.hip").waitFor({ state: "detached" });
    await bench.tab("scale.cu ↔ scale.hip").waitFor();
    assert.deepEqual([bench.has("saxpy.hip"), bench.has("scale.hip"), bench.has("twice.hip")], [true, false, false]);
  });

  await step("the last one is accepted in its own editor", async () => {
    await page.getByRole("button", { name: /^Accept Translation/ }).first().click();
    await bench.acceptAnyway(() => bench.has("scale.hip"));
    await bench.tab("scale.hip").waitFor();
    await until(async () => (await decided("scale.hip").count()) === 0, "the list is empty");
  });
}
