// A language model, for which a small server stands in: chosen, tried, and what becomes of its sketches.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ROOT } from "../kernels.mjs";
import { LONG } from "../waiting.mjs";

export async function tell(given) {
  const stand = spawn(process.env.PYTHON ?? join(ROOT, ".venv", "bin", "python"), [join(import.meta.dirname, "..", "model.py")], {
    stdio: ["pipe", "pipe", "inherit"],
    cwd: ROOT,
  });
  const [line] = await once(stand.stdout, "data");
  try {
    await tellOf(String(line).trim(), given);
  } finally {
    stand.kill();
  }
}

async function tellOf(address, { bench, step, picture }) {
  await step("the model is chosen from the endpoint's list, and answers", async () => {
    await bench.openFile("scale.cu");
    await bench.palette("Xpiler: Select Language Model…");
    await bench.question("The language model").waitFor({ timeout: LONG });
    await bench.pick(/^Change Address/);
    await bench.answer("OpenAI-compatible endpoint", address);
    await bench.question("The language model").getByRole("option", { name: /^stand-in/ }).waitFor({ timeout: LONG });
    await picture("models");
    await bench.pick(/^stand-in/);
    await bench.toast("stand-in sketches").getByRole("button", { name: "Test Connection" }).click();
    await bench.toast("answered").waitFor({ timeout: LONG });
    await bench.clearToasts();
  });

  await step("what becomes of each sketch stands below the job, and in the evidence", async () => {
    await bench.contextMenu(bench.line("__global__"), "Translate to HIP");
    await bench.statusBar("Translation verified").waitFor({ timeout: LONG });
    await bench.line("as sketched").waitFor();
    await bench.showJobs();
    await bench.row(/Translate scale\.cu to HIP.*done/).locator(".monaco-tl-twistie").click();
    await bench.row(/loop bind, failed/).waitFor();
    await bench.row(/loop bind, accepted/).waitFor();
    await picture("sketches");
    await bench.palette("Xpiler: Open Evidence of Translation");
    await bench.webview().getByText("sketched by stand-in").first().waitFor();
  });

  await step("without a model the engine does the whole job again", async () => {
    await bench.palette("Xpiler: Select Language Model…");
    await bench.question("The language model").waitFor({ timeout: LONG });
    await bench.pick(/^No Model/);
    await bench.palette("View: Close Editor");
    await bench.palette("Xpiler: Discard Translation");
    await bench.row(/^scale\.hip from/).waitFor({ state: "detached" });
  });
}
