/** "Tune in Background": what to tune for, and the view that draws the search as it goes on. */

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type { Context } from "./context";
import { LANGUAGES, PLATFORMS, platformOf, TITLES } from "./platforms";
import { course, devices, type Job, jobs, type Platform, tune, type Tuning, tuningChanged } from "./protocol";
import { target } from "./translate";
import { tuningContent, tuningPage } from "./tuningPage";

const VIEW = "xpiler.tuning";

/** The view of one search: the one that was asked for, else the latest. */
export class TuningView implements vscode.WebviewViewProvider {
  private view: vscode.WebviewView | undefined;
  private shown: Tuning | undefined;

  constructor(private readonly run: (action: string, id: string) => unknown) {}

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    view.webview.options = { enableScripts: true, localResourceRoots: [] };
    view.webview.onDidReceiveMessage((action: unknown) => {
      if (action === "ready") this.draw();
      else if (this.shown && typeof action === "string") this.run(action, this.shown.jobId);
    });
    view.onDidDispose(() => {
      this.view = undefined;
    });
    view.webview.html = tuningPage(randomBytes(16).toString("base64url"));
  }

  /** Shows a search, from now on. */
  show(tuning: Tuning | undefined): void {
    this.shown = tuning;
    this.draw();
  }

  /** What is new of a search: shown if it is the one that is shown, or nothing that goes on is. */
  update(tuning: Tuning): void {
    const { shown } = this;
    if (shown?.jobId === tuning.jobId || shown === undefined || !["queued", "running", "paused"].includes(shown.state)) this.show(tuning);
  }

  private draw(): void {
    void this.view?.webview.postMessage(tuningContent(this.shown));
  }
}

export function activate(context: Context): void {
  const { connection } = context;
  const view = new TuningView((action, id) => {
    if (["pause", "resume", "cancel", "retry", "apply"].includes(action)) {
      void vscode.commands.executeCommand(`xpiler.jobs.${action}`, { id } satisfies Pick<Job, "id">);
    }
  });
  const there = (is: boolean): void => {
    void vscode.commands.executeCommand("setContext", "xpiler.hasTuning", is);
  };
  context.push(
    vscode.window.registerWebviewViewProvider(VIEW, view),
    connection.onNotification(tuningChanged, (tuning) => {
      there(true);
      view.update(tuning);
    }),
    connection.onRunning((running) => {
      if (running) void latest(context).then((tuning) => {
        there(tuning !== undefined);
        view.show(tuning);
      });
      else view.show(undefined);
    }),
  );
  context.command("xpiler.showTuning", async (id) => {
    if (typeof id !== "string") return;
    view.show(await connection.request(course, { id }));
    await vscode.commands.executeCommand(`${VIEW}.focus`);
  });
  context.command("xpiler.tune", async (first, second) => {
    const { uri = vscode.window.activeTextEditor?.document.uri, to } = target(first, second);
    if (uri === undefined) throw new Error("Open a kernel first.");
    const document = await vscode.workspace.openTextDocument(uri);
    if (!(document.languageId in LANGUAGES)) throw new Error("Open a kernel first.");
    const platform = to ?? (await pick(context, document));
    const sizes = platform && (await askForSizes());
    if (platform === undefined || sizes === undefined) return;
    const { id } = await connection.request(tune, { uri: uri.toString(), to: platform, arguments: sizes });
    there(true);
    await vscode.commands.executeCommand("xpiler.showTuning", id);
  });
}

/** The latest search that the server knows, after a reload of the window. */
async function latest({ connection, log }: Context): Promise<Tuning | undefined> {
  try {
    const known = (await connection.request(jobs, {})).jobs.filter(({ kind }) => kind === "tune");
    const last = known.findLast(({ state }) => state === "running" || state === "queued" || state === "paused") ?? known.at(-1);
    return last && (await connection.request(course, { id: last.id }));
  } catch (error) {
    log.warn(`Tuning: ${String(error)}`);
    return undefined;
  }
}

/** The platform to tune for, with the device that it would be measured on. */
async function pick({ connection }: Context, document: vscode.TextDocument): Promise<Platform | undefined> {
  const own = platformOf(document.uri.path, document.languageId);
  const { devices: found } = await connection.request(devices, {});
  const items = PLATFORMS.filter((to) => to !== own).map((to) => {
    const device = found.find(({ runs }) => runs.includes(to));
    return { label: TITLES[to], description: device === undefined ? "no device here" : device.name, to };
  });
  items.sort((a, b) => Number(a.description === "no device here") - Number(b.description === "no device here"));
  return (await vscode.window.showQuickPick(items, { title: "Tune for" }))?.to;
}

async function askForSizes(): Promise<Record<string, string> | undefined> {
  const answer = await vscode.window.showInputBox({
    title: "Sizes to tune for",
    prompt: "Those that matter to you; without any, the small ones that the checks use are measured.",
    placeHolder: "M=512, N=512, K=512",
    ignoreFocusOut: true,
    validateInput: (text) => (sizesIn(text) === undefined ? "NAME=VALUE, with commas between." : undefined),
  });
  return answer === undefined ? undefined : sizesIn(answer);
}

/** `M=512, N=64` by names; undefined for what is neither that nor empty. */
export function sizesIn(text: string): Record<string, string> | undefined {
  const parts = text.split(/[,\s]+/).filter(Boolean);
  const pairs = parts.map((part) => /^([A-Za-z_]\w*)=(-?[\w.]+)$/.exec(part));
  if (pairs.includes(null)) return undefined;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? "", pair?.[2] ?? ""]));
}
