/** The commands about a file as it is: check it, verify or repair it against its source, show its evidence. */

import * as vscode from "vscode";
import type { Context } from "./context";
import type { EvidencePanel } from "./evidence";
import { LANGUAGES, PLATFORMS, platformOf, TITLES } from "./platforms";
import type { Pairs } from "./pairs";
import type { Previews } from "./preview";
import { check, evidence as evidenceOf, type JobResult, repair, verify } from "./protocol";
import { target as asked } from "./translate";
import { whyUnverified } from "./verdict";

export function activate(context: Context, pairs: Pairs, previews: Previews, panel: EvidencePanel): void {
  context.command("xpiler.check", async (uri) => {
    const document = await documentOf(uri);
    const title = `Checking ${vscode.workspace.asRelativePath(document.uri)}`;
    const { status, findings } = await context.ask(title, check, { uri: document.uri.toString() });
    if (status === "bugs") await vscode.commands.executeCommand("workbench.actions.view.problems");
    else if (status === "clean") void vscode.window.setStatusBarMessage("Xpiler: no bugs found", 5000);
    else void vscode.window.showWarningMessage(`Xpiler: ${status}, ${findings} findings. See the Problems view.`);
  });
  context.command("xpiler.verify", async (first, second) => {
    const document = await documentOf(first);
    const { to } = asked(first, second);
    const accepted = await acceptedFrom(pairs, document.uri, to);
    const source = accepted ? document.uri : await sourceOf(pairs, document.uri);
    const target = accepted ?? document.uri;
    if (source === undefined) return;
    const title = `Verifying ${vscode.workspace.asRelativePath(target)}`;
    const result = await context.ask(title, verify, {
      source: { uri: source.toString() },
      target: { uri: target.toString() },
    });
    await pairs.add(source, target);
    panel.show(result);
  });
  context.command("xpiler.repair", async (uri) => {
    const document = await documentOf(uri);
    const source = await sourceOf(pairs, document.uri);
    if (source === undefined) return;
    const original = await vscode.workspace.openTextDocument(source);
    const result = await context.ask(`Repairing ${vscode.workspace.asRelativePath(document.uri)}`, repair, {
      source: { uri: source.toString(), text: original.getText() },
      target: { uri: document.uri.toString(), text: document.getText() },
    });
    await pairs.add(source, document.uri);
    if (result.status === "repaired" && result.text) await previews.openRepair(result, document.uri, original);
    else if (result.localized) {
      const { range, message } = result.localized;
      const place = new vscode.Range(range.start.line, range.start.character, range.end.line, range.end.character);
      await vscode.window.showTextDocument(document, { selection: place });
      void vscode.window.showWarningMessage(`Xpiler: not repaired: ${message}`);
    } else void vscode.window.showInformationMessage(`Xpiler: ${result.status}. ${result.message}`);
  });
  context.command("xpiler.showEvidence", async (first, second) => {
    const preview = previews.shown();
    if (first === undefined && preview) {
      previews.openEvidence(preview);
      return;
    }
    const document = await documentOf(first);
    const records = await recordsOf(context, pairs, document, asked(first, second).to);
    const chosen = records.length > 1 ? await pick(records) : records[0];
    if (chosen) panel.show(chosen);
    else if (records.length === 0) {
      void vscode.window.showInformationMessage("Xpiler: there is no evidence for this file yet. Translate or verify it.");
    }
  });
}

/** What is recorded for a document as the source, and as the translation of another. */
async function recordsOf(
  context: Context,
  pairs: Pairs,
  document: vscode.TextDocument,
  only?: string,
): Promise<JobResult[]> {
  const own = platformOf(document.uri.path, document.languageId);
  const asSource = PLATFORMS.filter((to) => to !== own && (only === undefined || to === only));
  const source = pairs.sourceOf(document.uri);
  const asked = asSource.map((to) => ({ uri: document.uri.toString(), to }));
  if (source && own && only === undefined) asked.unshift({ uri: source.toString(), to: own });
  const found = await Promise.all(asked.map((params) => context.connection.request(evidenceOf, params)));
  return found.filter((record) => record !== null);
}

/** A translation of a file that was accepted; the user says which, if there are several. */
async function acceptedFrom(pairs: Pairs, source: vscode.Uri, to?: string): Promise<vscode.Uri | undefined> {
  const targets = pairs.targetsOf(source).filter((uri) => to === undefined || platformOf(uri.path) === to);
  if (targets.length < 2) return targets[0];
  const items = targets.map((uri) => ({ label: vscode.workspace.asRelativePath(uri), uri }));
  return (await vscode.window.showQuickPick(items, { title: "Verify which translation?" }))?.uri;
}

async function pick(records: readonly JobResult[]): Promise<JobResult | undefined> {
  const items = records.map((record) => ({
    label: TITLES[record.to],
    description: record.status,
    detail: record.status === "verified" ? "" : whyUnverified(record),
    record,
  }));
  return (await vscode.window.showQuickPick(items, { title: "Evidence of which translation?" }))?.record;
}

async function documentOf(given: unknown): Promise<vscode.TextDocument> {
  const { uri } = asked(given);
  if (uri) return vscode.workspace.openTextDocument(uri);
  const document = vscode.window.activeTextEditor?.document;
  if (!document || !(document.languageId in LANGUAGES)) throw new Error("Open a kernel first.");
  return document;
}

/** The file that another was translated from: as remembered, else as the user says. */
async function sourceOf(pairs: Pairs, target: vscode.Uri): Promise<vscode.Uri | undefined> {
  const known = pairs.sourceOf(target);
  if (known) return known;
  const name = vscode.workspace.asRelativePath(target);
  const question = `Xpiler: ${name} has no translation that was accepted, and it is not known what it was translated from.`;
  if ((await vscode.window.showInformationMessage(question, "Choose Its Source…")) === undefined) return undefined;
  const chosen = await vscode.window.showOpenDialog({
    title: `The source that ${name} was translated from`,
    openLabel: "Take as Source",
    defaultUri: vscode.Uri.joinPath(target, ".."),
    filters: { Kernels: ["cu", "cuh", "hip", "mlu", "mluh", "cpp", "cc", "cxx", "c"] },
  });
  return chosen?.[0];
}
