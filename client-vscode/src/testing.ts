/**
 * The Testing view: each kernel and each platform is a test; its state is the one that the server tells.
 * Tests have no place in the text, for there the editor would put its own mark over that of the kernel.
 */

import * as vscode from "vscode";
import { Cancelled, type Context } from "./context";
import type { Pairs } from "./pairs";
import { platformOf, TITLES } from "./platforms";
import { type JobResult, type KernelStatus, type TargetStatus, translate, verify } from "./protocol";
import type { States } from "./states";
import { whyUnverified } from "./verdict";

interface Target {
  uri: vscode.Uri;
  kernel: KernelStatus;
  target: TargetStatus;
}

export class KernelTests implements vscode.Disposable {
  private readonly controller = vscode.tests.createTestController("xpiler", "Xpiler: Kernels");
  private readonly targets = new WeakMap<vscode.TestItem, Target>();
  private readonly drawn = new Map<string, string>();
  private readonly outcomes = new Map<string, boolean>(); // whether the test passed, as the view shows it
  private readonly running = new Set<string>();

  constructor(
    private readonly context: Context,
    private readonly states: States,
    private readonly pairs: Pairs,
  ) {
    this.controller.createRunProfile("Verify", vscode.TestRunProfileKind.Run, (request, token) => this.run(request, token), true);
  }

  dispose(): void {
    this.controller.dispose();
  }

  /** Brings the tree in line with the states of one document, or of all. */
  draw(uri: string | undefined): void {
    if (uri === undefined) {
      this.controller.items.replace([]);
      this.drawn.clear();
      this.outcomes.clear();
      return;
    }
    const document = vscode.workspace.textDocuments.find((one) => one.uri.toString() === uri);
    const kernels = document === undefined ? [] : this.states.of(document);
    if (document === undefined || kernels.length === 0) {
      this.controller.items.delete(uri);
      return;
    }
    const file = this.child(this.controller.items, uri, vscode.workspace.asRelativePath(document.uri), document.uri);
    const kept = new Set<string>();
    const news: [vscode.TestItem, TargetStatus][] = [];
    for (const kernel of kernels) {
      const id = `${uri}#${kernel.name}`;
      kept.add(id);
      const item = this.child(file.children, id, kernel.name, document.uri);
      for (const target of kernel.targets) {
        const test = this.child(item.children, `${id}#${target.to}`, TITLES[target.to], document.uri);
        test.description = target.stale ? `${target.state}, stale` : target.state;
        this.targets.set(test, { uri: document.uri, kernel, target });
        if (this.hasNews(test, target)) news.push([test, target]);
      }
    }
    if (news.length > 0) this.tell(news);
    file.children.forEach(({ id }) => {
      if (!kept.has(id)) file.children.delete(id);
    });
  }

  private child(items: vscode.TestItemCollection, id: string, label: string, uri: vscode.Uri): vscode.TestItem {
    const known = items.get(id);
    if (known) return known;
    const made = this.controller.createTestItem(id, label, uri);
    items.add(made);
    return made;
  }

  /** Whether a state has an outcome that is not shown yet; what is stale or unknown has none. */
  private hasNews(item: vscode.TestItem, { state, stale, message }: TargetStatus): boolean {
    const key = `${state} ${stale} ${message}`;
    const known = this.drawn.get(item.id);
    if (this.running.has(item.id) || known === key || (state === "none" && known === undefined)) return false;
    this.drawn.set(item.id, key);
    if (stale || state === "none") {
      this.controller.invalidateTestResults(item);
      this.outcomes.delete(item.id);
      return false;
    }
    return state !== "pending" && this.outcomes.get(item.id) !== (state !== "failed");
  }

  /** Shows states that the server told as the outcomes of a run. */
  private tell(news: readonly (readonly [vscode.TestItem, TargetStatus])[]): void {
    const request = new vscode.TestRunRequest(news.map(([item]) => item));
    const run = this.controller.createTestRun(request, "verified in the background", false);
    for (const [item, { to, state, message }] of news) {
      run.appendOutput(`${TITLES[to]}: ${state}${message ? `: ${message}` : ""}\r\n`, undefined, item);
      if (state === "failed") run.failed(item, new vscode.TestMessage(message || "failed"));
      else run.passed(item);
      this.outcomes.set(item.id, state !== "failed");
    }
    run.end();
  }

  /** Translates or verifies what was chosen, each kernel's file and platform once. */
  private async run(request: vscode.TestRunRequest, token: vscode.CancellationToken): Promise<void> {
    const run = this.controller.createTestRun(request);
    const groups = new Map<string, vscode.TestItem[]>();
    for (const item of this.leaves(request)) {
      const target = this.targets.get(item);
      if (target === undefined) continue;
      const key = `${target.uri.toString()} ${target.target.to}`;
      groups.set(key, [...(groups.get(key) ?? []), item]);
      this.running.add(item.id);
      run.enqueued(item);
    }
    await Promise.all([...groups.values()].map((items) => this.verify(run, items, token)));
    run.end();
  }

  private async verify(run: vscode.TestRun, items: readonly vscode.TestItem[], token: vscode.CancellationToken): Promise<void> {
    const [first] = items;
    const target = first && this.targets.get(first);
    if (target === undefined) return;
    for (const item of items) run.started(item);
    try {
      const result = await this.ask(target, token);
      for (const item of items) {
        report(run, item, this.targets.get(item) ?? target, result);
        this.outcomes.set(item.id, result.status === "verified");
      }
    } catch (error) {
      for (const item of items) {
        if (error instanceof Cancelled) run.skipped(item);
        else run.errored(item, new vscode.TestMessage(error instanceof Error ? error.message : String(error)));
      }
    } finally {
      for (const { id } of items) this.running.delete(id);
    }
  }

  /** An accepted translation is verified as it lies there; else the kernel is translated. */
  private ask({ uri, target: { to } }: Target, token: vscode.CancellationToken): Promise<JobResult> {
    const source = uri.toString();
    const accepted = this.pairs.targetsOf(uri).find((one) => platformOf(one.path) === to);
    const { connection } = this.context;
    return accepted
      ? connection.request(verify, { source: { uri: source }, target: { uri: accepted.toString() }, to }, token)
      : connection.request(translate, { uri: source, to }, token);
  }

  private leaves(request: vscode.TestRunRequest): vscode.TestItem[] {
    const excluded = new Set(request.exclude ?? []);
    const found: vscode.TestItem[] = [];
    const visit = (item: vscode.TestItem): void => {
      if (excluded.has(item)) return;
      if (this.targets.has(item)) found.push(item);
      item.children.forEach(visit);
    };
    if (request.include) request.include.forEach(visit);
    else this.controller.items.forEach(visit);
    return found;
  }
}

export function activate(context: Context, states: States, pairs: Pairs): void {
  const tests = new KernelTests(context, states, pairs);
  context.push(
    tests,
    states.onDidChange((uri) => {
      tests.draw(uri);
    }),
    vscode.workspace.onDidChangeTextDocument(({ document }) => {
      if (states.of(document).length > 0) tests.draw(document.uri.toString());
    }),
  );
}

/** The outcome with the evidence as the test's output. */
function report(run: vscode.TestRun, item: vscode.TestItem, { uri, kernel }: Target, result: JobResult): void {
  for (const { ok, rung, tool, detail } of result.evidence) {
    run.appendOutput(`${ok ? "ok    " : "FAILED"} ${rung.padEnd(10)} ${tool}  ${detail}\r\n`, undefined, item);
  }
  const milliseconds = result.seconds * 1000;
  if (result.status === "verified") {
    run.passed(item, milliseconds);
    return;
  }
  const message = new vscode.TestMessage(whyUnverified(result));
  message.location = new vscode.Location(uri, rangeOf(kernel));
  if (result.status === "refused") run.errored(item, message, milliseconds);
  else run.failed(item, message, milliseconds);
}

function rangeOf({ selectionRange: { start, end } }: KernelStatus): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}
