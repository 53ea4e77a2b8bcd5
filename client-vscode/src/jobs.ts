/** The Jobs view and its item in the status bar. */

import * as vscode from "vscode";
import type { Context } from "./context";
import type { EvidencePanel } from "./evidence";
import {
  cancelJob,
  type Job,
  jobs as jobList,
  jobsChanged,
  type ModelEvent,
  pauseJob,
  result as resultOf,
  resumeJob,
  retryJob,
} from "./protocol";
import type { Translator } from "./translate";

const ICONS: Readonly<Record<Job["state"], readonly [icon: string, color?: string]>> = {
  queued: ["watch"],
  running: ["sync~spin"],
  paused: ["debug-pause"],
  done: ["pass", "testing.iconPassed"],
  failed: ["error", "testing.iconFailed"],
  cancelled: ["circle-slash", "testing.iconSkipped"],
};

const EVENTS: Readonly<Record<string, string>> = {
  sketched: "edit-sparkle",
  cached: "history",
  failed: "error",
  repaired: "wrench",
  accepted: "pass",
  skipped: "debug-step-over",
  net: "shield",
  chosen: "star",
};

/** A job, or a thing that happened in one. */
type Node = Job | ModelEvent;

export class JobsView implements vscode.TreeDataProvider<Node> {
  private jobs: Job[] = [];
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changed.event;

  constructor(private readonly item: vscode.StatusBarItem) {}

  set(jobs: readonly Job[]): void {
    this.jobs = [...jobs].sort((a, b) => b.startedAt - a.startedAt);
    this.changed.fire(undefined);
    const active = this.jobs.filter(isRunning);
    if (active.length === 0) {
      this.item.hide();
      return;
    }
    const [first] = active;
    const words = active.length === 1 && first ? first.title : `${active.length} jobs`;
    this.item.text = `$(sync~spin) ${words}`;
    this.item.tooltip = active.map((job) => `${job.title}: ${describe(job)}`).join("\n");
    this.item.accessibilityInformation = { label: `Xpiler is at work: ${words}`, role: "button" };
    this.item.show();
  }

  find(id: unknown): Job | undefined {
    return this.jobs.find((job) => job.id === id);
  }

  active(): readonly Job[] {
    return this.jobs.filter(isActive);
  }

  all(): readonly Job[] {
    return this.jobs;
  }

  getChildren(parent?: Node): Node[] {
    if (parent === undefined) return this.jobs;
    return "what" in parent ? [] : parent.events;
  }

  getTreeItem(node: Node): vscode.TreeItem {
    return "what" in node ? eventItem(node) : jobItem(node);
  }
}

function eventItem({ step, what, detail }: ModelEvent): vscode.TreeItem {
  const item = new vscode.TreeItem(`${step.replaceAll("_", " ")}: ${what}`);
  item.description = detail;
  item.tooltip = detail;
  item.iconPath = new vscode.ThemeIcon(EVENTS[what] ?? "circle-small");
  item.accessibilityInformation = { label: `${step.replaceAll("_", " ")}, ${what}, ${detail}` };
  return item;
}

function jobItem(job: Job): vscode.TreeItem {
  const inner = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(job.title, job.events.length === 0 ? inner.None : isActive(job) ? inner.Expanded : inner.Collapsed);
  const [icon, color] = ICONS[job.state];
  item.id = job.id;
  item.description = describe(job);
  item.iconPath = new vscode.ThemeIcon(icon, color === undefined ? undefined : new vscode.ThemeColor(color));
  item.contextValue = contextOf(job);
  item.tooltip = `${job.title}\n${job.message}`;
  item.accessibilityInformation = { label: `${job.title}, ${describe(job)}` };
  if (job.state === "done" || job.kind === "tune") item.command = { command: "xpiler.jobs.open", title: "Open Result", arguments: [job] };
  return item;
}

/** What can be done with a job, for the menus: `tune.running`, `job.active`, `job.result`, `job.failed`. */
function contextOf(job: Job): string {
  if (job.kind === "tune") return `tune.${job.state === "queued" ? "running" : job.state}`;
  return isActive(job) ? "job.active" : job.state === "done" ? "job.result" : `job.${job.state}`;
}

export function activate(context: Context, translator: Translator, evidence: EvidencePanel): JobsView {
  const item = vscode.window.createStatusBarItem("jobs", vscode.StatusBarAlignment.Left, 80);
  item.name = "Xpiler: Jobs";
  item.command = "xpiler.jobs.focus";
  const view = new JobsView(item);
  const tree = vscode.window.createTreeView("xpiler.jobs", { treeDataProvider: view });
  context.push(item, tree);

  const { connection } = context;
  const refresh = async (): Promise<void> => {
    try {
      view.set((await connection.request(jobList, {})).jobs);
    } catch (error) {
      context.log.warn(`Jobs: ${String(error)}`);
    }
  };
  context.push(
    connection.onNotification(jobsChanged, ({ jobs }) => {
      view.set(jobs);
    }),
    connection.onRunning((running) => {
      if (!running) view.set([]);
      else void refresh();
    }),
  );
  const command = (name: string, choice: () => readonly Job[], run: (job: Job) => Promise<unknown>): void => {
    context.command(`xpiler.jobs.${name}`, async (given) => {
      const selected = tree.selection[0];
      const chosen = selected !== undefined && "id" in selected && choice().includes(selected) ? selected : undefined;
      const job = view.find((given as Job | undefined)?.id) ?? chosen ?? (await pick(choice()));
      if (job !== undefined) await run(job);
    });
  };
  const all = (): readonly Job[] => view.all();
  command("cancel", () => view.active(), ({ id }) => connection.request(cancelJob, { id }));
  command("retry", () => all().filter(({ state }) => state === "failed" || state === "cancelled"), ({ id }) =>
    connection.request(retryJob, { id }),
  );
  command("pause", () => all().filter((job) => job.kind === "tune" && isRunning(job)), ({ id }) =>
    connection.request(pauseJob, { id }),
  );
  command("resume", () => all().filter(({ state }) => state === "paused"), ({ id }) => connection.request(resumeJob, { id }));
  command("apply", () => all().filter(({ kind }) => kind === "tune"), async ({ id }) => {
    await translator.showTuned(await connection.request(resultOf, { id }));
  });
  command("open", () => all().filter(({ state }) => state === "done"), async (job) => {
    if (job.kind === "tune") {
      await vscode.commands.executeCommand("xpiler.showTuning", job.id);
      return;
    }
    if (job.kind !== "translate" && job.kind !== "verify") {
      await vscode.window.showTextDocument(vscode.Uri.parse(job.uri));
      return;
    }
    const kept = await connection.request(resultOf, { id: job.id });
    if (job.kind === "translate") await translator.show(kept);
    else evidence.show(kept);
  });
  return view;
}

function isRunning({ state }: Job): boolean {
  return state === "queued" || state === "running";
}

function isActive(job: Job): boolean {
  return isRunning(job) || job.state === "paused";
}

/** The state of a job in a few words. */
export function describe(job: Job): string {
  const percent = job.state === "running" && job.percentage !== null ? ` ${job.percentage} %` : "";
  const seconds = job.seconds === null ? "" : `, ${job.seconds.toFixed(1)} s`;
  return `${job.state}${percent}${seconds}${job.message ? ` · ${job.message}` : ""}`;
}

async function pick(jobs: readonly Job[]): Promise<Job | undefined> {
  if (jobs.length === 0) throw new Error("There is no such job.");
  const items = jobs.map((job) => ({ label: job.title, description: describe(job), job }));
  return (await vscode.window.showQuickPick(items, { title: "Which job?" }))?.job;
}
