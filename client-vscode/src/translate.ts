/** The commands that translate: a kernel, a selection of files, or a job's result again. */

import * as vscode from "vscode";
import { Cancelled, type Context } from "./context";
import { askFor } from "./contract";
import type { EvidencePanel } from "./evidence";
import { isPlatform, LANGUAGES, PLATFORMS, platformOf, TITLES } from "./platforms";
import { type Preview, type Previews, SCHEME } from "./preview";
import * as previewMarks from "./previewMarks";
import { type EngineDiagnostic, type JobResult, type Platform, translate } from "./protocol";
import { remedied, whyUnverified } from "./verdict";

const ROUNDS = 8; // of questions about one translation

export class Translator {
  constructor(
    private readonly context: Context,
    private readonly previews: Previews,
    private readonly evidence: EvidencePanel,
  ) {}

  /** Translates files and shows what came out: one as a diff, several together. */
  async run(uris: readonly vscode.Uri[], to: Platform): Promise<void> {
    const sources = uris.filter((uri) => platformOf(uri.path, opened(uri)?.languageId) !== to);
    if (sources.length === 0) throw new Error(`There is nothing here to translate to ${TITLES[to]}.`);
    const results = await Promise.all(sources.map((uri) => this.translate(uri, to)));
    const done = results.filter((result) => result !== undefined);
    const [only] = done;
    if (sources.length === 1) {
      if (only) await this.show(only);
      return;
    }
    await this.showAll(done, sources.length);
  }

  /** Shows a result: the diff, or why there is none. */
  async show(result: JobResult): Promise<void> {
    if (result.text !== null) {
      await this.previews.open(result);
      if (result.status === "refused") await this.explain(result);
      return;
    }
    await this.explain(result);
  }

  /** Shows the best program of a search as a diff. */
  async showTuned(result: JobResult): Promise<void> {
    if (result.text === null) await this.explain(result);
    else await this.previews.openTuned(result);
  }

  private async translate(uri: vscode.Uri, to: Platform): Promise<JobResult | undefined> {
    for (let round = 0; round < ROUNDS; round++) {
      const document = await vscode.workspace.openTextDocument(uri);
      const text = document.getText();
      const title = `Translating ${uri.path.split("/").pop() ?? ""} to ${TITLES[to]}`;
      let result: JobResult;
      try {
        result = await this.context.ask(title, translate, { uri: uri.toString(), text, to });
      } catch (error) {
        if (error instanceof Cancelled) return undefined;
        throw error;
      }
      if (result.missing.length === 0 || result.text !== null) return result;
      if (!(await askFor(this.context, uri.toString(), result.missing))) return result;
    }
    throw new Error(`${ROUNDS} rounds of questions did not settle what the kernel is called with.`);
  }

  private async showAll(results: readonly JobResult[], asked: number): Promise<void> {
    const texts = results.filter(({ text }) => text !== null);
    const previews = texts.length > 0 ? await this.previews.openAll(texts) : [];
    const verified = previews.filter((preview) => this.previews.verdictOf(preview).state === "verified");
    const words = `${texts.length} of ${asked} files translated, ${verified.length} verified.`;
    const actions = [...(verified.length > 0 ? ["Accept Verified"] : []), ...(previews.length > 0 ? ["Choose…"] : [])];
    for (const result of results.filter(({ text }) => text === null)) void this.explain(result);
    const pressed = await vscode.window.showInformationMessage(`Xpiler: ${words}`, ...actions);
    if (pressed === undefined) return;
    for (const preview of pressed === "Choose…" ? await this.choose(previews) : verified) await this.previews.accept(preview);
  }

  /** Which of several translations are to be accepted; those that are verified are ticked. */
  private async choose(previews: readonly Preview[]): Promise<readonly Preview[]> {
    const items = previews.map((preview) => {
      const { state, words } = this.previews.verdictOf(preview);
      return { label: preview.result.fileName, description: state, detail: words, picked: state === "verified", preview };
    });
    const options = { title: "Accept which translations?", canPickMany: true, placeHolder: "The others stay in the list of translations." } as const;
    return ((await vscode.window.showQuickPick(items, options)) ?? []).map(({ preview }) => preview);
  }

  /** Says why a kernel was refused, with the place one press away. */
  private async explain(result: JobResult): Promise<void> {
    const place = result.diagnostics.find(({ severity }) => severity === "error") ?? result.diagnostics[0];
    const words = place ? remedied(place) : whyUnverified(result);
    const actions = [...(place?.line ? ["Go to Place"] : []), "Show Evidence"];
    const pressed = await vscode.window.showErrorMessage(`${TITLES[result.to]}: ${words}`, ...actions);
    if (pressed === "Go to Place" && place) await reveal(vscode.Uri.parse(result.source), place);
    if (pressed === "Show Evidence") this.evidence.show(result);
  }
}

export function activate(context: Context, previews: Previews, evidence: EvidencePanel): Translator {
  const translator = new Translator(context, previews, evidence);
  const commands: Readonly<Record<Platform, string>> = { cuda: "Cuda", hip: "Hip", bang: "Bang", vnni: "Vnni" };
  for (const to of PLATFORMS) {
    context.command(`xpiler.translateTo${commands[to]}`, (uri, selection) => translator.run(chosen(uri, selection), to));
  }
  context.command("xpiler.translateTo", async (first, second) => {
    const { uri, to } = target(first, second);
    const source = uri ?? chosen(undefined, undefined)[0];
    const platform = to ?? (source && (await pick(source)));
    if (source && platform) await translator.run([source], platform);
  });
  previewMarks.activate(context, previews);
  return translator;
}

/** What a lens or another program asks for: `{uri, to}`, or the two one after the other. */
export function target(first: unknown, second?: unknown): { uri?: vscode.Uri; to?: Platform } {
  const { uri, to } = (typeof first === "object" && first !== null && !(first instanceof vscode.Uri) ? first : { uri: first, to: second }) as {
    uri?: unknown;
    to?: unknown;
  };
  const parsed = uri instanceof vscode.Uri ? uri : typeof uri === "string" ? vscode.Uri.parse(uri) : undefined;
  return { ...(parsed && { uri: parsed }), ...(isPlatform(to) && { to }) };
}

/** The files a menu was opened on; from the palette, the file in the editor. */
function chosen(uri: unknown, selection: unknown): vscode.Uri[] {
  if (Array.isArray(selection)) {
    const several = selection.filter((one): one is vscode.Uri => one instanceof vscode.Uri);
    if (several.length > 0) return several;
  }
  if (uri instanceof vscode.Uri && uri.scheme !== SCHEME) return [uri];
  const document = vscode.window.activeTextEditor?.document;
  if (document === undefined || !(document.languageId in LANGUAGES)) throw new Error("Open a kernel first.");
  return [document.uri];
}

async function pick(uri: vscode.Uri): Promise<Platform | undefined> {
  const own = platformOf(uri.path, opened(uri)?.languageId);
  const items = PLATFORMS.filter((to) => to !== own).map((to) => ({ label: TITLES[to], to }));
  return (await vscode.window.showQuickPick(items, { title: "Translate to" }))?.to;
}

async function reveal(uri: vscode.Uri, { line, column }: EngineDiagnostic): Promise<void> {
  const place = new vscode.Position((line ?? 1) - 1, (column ?? 1) - 1);
  await vscode.window.showTextDocument(uri, { selection: new vscode.Range(place, place) });
}

function opened(uri: vscode.Uri): vscode.TextDocument | undefined {
  return vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
}
