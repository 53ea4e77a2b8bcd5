/** The Jobs view and its item in the status bar. */

import * as vscode from "vscode";
import type { Context } from "./context";
import type { EvidencePanel } from "./evidence";
import { cancelJob, type Job, jobs as jobList, jobsChanged, result as resultOf, retryJob } from "./protocol";
import type { Translator } from "./translate";

const ICONS: Readonly<Record<Job["state"], readonly [icon: string, color?: string]>> = {
  queued: ["watch"],
  running: ["sync~spin"],
  done: ["pass", "testing.iconPassed"],
  failed: ["error", "testing.iconFailed"],
  cancelled: ["circle-slash", "testing.iconSkipped"],
};

export class JobsView implements vscode.TreeDataProvider<Job> {
  private jobs: Job[] = [];
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changed.event;

  constructor(private readonly item: vscode.StatusBarItem) {}

  set(jobs: readonly Job[]): void {
    this.jobs = [...jobs].sort((a, b) => b.startedAt - a.startedAt);
    this.changed.fire(undefined);
    const active = this.jobs.filter(isActive);
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

  getChildren(parent?: Job): Job[] {
    return parent === undefined ? this.jobs : [];
  }

  getTreeItem(job: Job): vscode.TreeItem {
    const item = new vscode.TreeItem(job.title);
    const [icon, color] = ICONS[job.state];
    item.id = job.id;
    item.description = describe(job);
    item.iconPath = new vscode.ThemeIcon(icon, color === undefined ? undefined : new vscode.ThemeColor(color));
    item.contextValue = isActive(job) ? "job.active" : job.state === "done" ? "job.result" : `job.${job.state}`;
    item.tooltip = `${job.title}\n${job.message}`;
    item.accessibilityInformation = { label: `${job.title}, ${describe(job)}` };
    if (job.state === "done") item.command = { command: "xpiler.jobs.open", title: "Open Result", arguments: [job] };
    return item;
  }
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
      const job = view.find((given as Job | undefined)?.id) ?? tree.selection[0] ?? (await pick(choice()));
      if (job !== undefined) await run(job);
    });
  };
  const all = (): readonly Job[] => view.getChildren();
  command("cancel", () => view.active(), ({ id }) => connection.request(cancelJob, { id }));
  command("retry", () => all().filter(({ state }) => state === "failed" || state === "cancelled"), ({ id }) =>
    connection.request(retryJob, { id }),
  );
  command("open", () => all().filter(({ state }) => state === "done"), async (job) => {
    if (job.kind !== "translate" && job.kind !== "verify") {
      await vscode.window.showTextDocument(vscode.Uri.parse(job.uri));
      return;
    }
    const kept = await connection.request(resultOf, { id: job.id });
    if (kept === null) throw new Error("The result of this job is no longer kept. Run it again.");
    if (job.kind === "translate") await translator.show(kept);
    else evidence.show(kept);
  });
  return view;
}

function isActive({ state }: Job): boolean {
  return state === "queued" || state === "running";
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
