/** A translation before it is accepted: a writable document of its own scheme beside the source. */

import * as vscode from "vscode";
import type { Context } from "./context";
import type { EvidencePanel } from "./evidence";
import { hunkAt, hunks } from "./hunks";
import { afterEdit } from "./links";
import { platformOf, TITLES } from "./platforms";
import type { Pairs } from "./pairs";
import { type Evidence, type JobResult, type Link, type RepairResult, result as resultOf, verify } from "./protocol";
import { type Verdict, verdict } from "./verdict";

export const SCHEME = "xpiler-preview";

/** A translation that is looked at. `links` follow the edits of both sides. */
export interface Preview {
  readonly uri: vscode.Uri;
  readonly source: vscode.Uri;
  /** The left side of the diff: the source; for a repair, the file that is repaired. */
  readonly original: vscode.Uri;
  /** Where Accept writes; undefined if there is no place that suggests itself. */
  readonly destination: vscode.Uri | undefined;
  result: JobResult;
  links: Link[];
}

interface Stored {
  bytes: Uint8Array;
  changed: number;
}

export class Previews implements vscode.FileSystemProvider {
  private readonly files = new Map<string, Stored>();
  private readonly previews = new Map<string, Preview>();
  private together: { title: string; members: Preview[] } | undefined; // what the editor of several files shows
  private readonly fileEvents = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  private readonly changes = new vscode.EventEmitter<Preview>();
  readonly onDidChangeFile = this.fileEvents.event;
  /** A preview was made, edited, or checked again. */
  readonly onDidChange = this.changes.event;

  constructor(
    private readonly context: Context,
    private readonly pairs: Pairs,
    private readonly evidence: EvidencePanel,
  ) {}

  get(uri: vscode.Uri): Preview | undefined {
    return this.previews.get(uri.toString());
  }

  /** The preview in the active tab; of several files in one, that with the cursor. */
  shown(): Preview | undefined {
    const uri = modifiedOf(vscode.window.tabGroups.activeTabGroup.activeTab?.input);
    const focused = vscode.window.activeTextEditor?.document.uri;
    return (uri && this.get(uri)) ?? (focused && this.get(focused));
  }

  all(): Preview[] {
    return [...this.previews.values()];
  }

  /** Shows a finished translation as a diff, in place of an older one of the same source and target. */
  async open(result: JobResult): Promise<Preview> {
    const preview = this.add(result);
    await this.reveal(preview);
    return preview;
  }

  /** Shows the best program of a search: beside the accepted translation that it is to replace, if there is one. */
  async openTuned(result: JobResult): Promise<Preview> {
    const source = vscode.Uri.parse(result.source);
    const known = this.get(uriOf(result));
    if (known && known.result.text !== result.text) await this.discard(known);
    const preview = this.add(result, this.pairs.targetsOf(source).find((uri) => platformOf(uri.path) === result.to));
    await this.reveal(preview);
    return preview;
  }

  /** Shows a preview as a diff of its own. */
  async reveal({ original, source, uri, result }: Preview): Promise<void> {
    const isReplaced = original.toString() !== source.toString();
    const name = fileName(result.fileName);
    const title = isReplaced ? `${fileName(original.path)} ↔ new ${name}` : `${fileName(source.path)} ↔ ${name} (${TITLES[result.to]})`;
    await vscode.commands.executeCommand("vscode.diff", original, uri, title, { preview: false });
  }

  /** Shows a repaired translation beside the file that it repairs. */
  async openRepair(repaired: RepairResult, target: vscode.Uri, source: vscode.TextDocument): Promise<Preview> {
    const to = platformOf(target.path) ?? "vnni";
    const status = repaired.evidence.every(({ ok }) => ok) ? "verified" : "unverified";
    const { jobId, text, evidence } = repaired;
    const sourceText = source.getText();
    const about = { jobId, source: source.uri.toString(), version: source.version, to, fileName: fileName(target.path), sourceText, current: true };
    const rest = { entries: [], diagnostics: [], missing: [], links: [], events: [], seconds: seconds(evidence) };
    const preview = this.add({ ...about, text, status, evidence, ...rest }, target);
    await this.reveal(preview);
    return preview;
  }

  /** Shows several translations in one editor. */
  async openAll(results: readonly JobResult[]): Promise<Preview[]> {
    const made = results.map((result) => this.add(result));
    await this.showTogether(made);
    return made;
  }

  private async showTogether(members: Preview[]): Promise<void> {
    const title = `${members.length} translations`;
    this.together = { title, members };
    const resources = members.map(({ uri, original }) => [uri, original, uri]);
    await vscode.commands.executeCommand("vscode.changes", title, resources);
  }

  /** Takes a file out of the editor of several, which shows the others on. False if it was not in there. */
  private async leave(preview: Preview): Promise<boolean> {
    const { together } = this;
    if (together?.members.includes(preview) !== true) return false;
    const left = together.members.filter((member) => member !== preview && this.get(member.uri) === member);
    this.together = undefined;
    // The editor's own type of such a tab is not open to extensions: it is known by its title.
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs).filter(({ label, input }) => label === together.title && input === undefined);
    for (const { uri } of together.members) if (opened(uri)?.isDirty) await opened(uri)?.save(); // so that closing does not ask
    await vscode.window.tabGroups.close(tabs);
    const [only] = left;
    if (left.length > 1) await this.showTogether(left);
    else if (only) await this.reveal(only);
    return only !== undefined;
  }

  /** What may be said of a preview as it stands. */
  verdictOf(preview: Preview): Verdict {
    return verdict(preview.result, opened(preview.source)?.getText(), this.text(preview));
  }

  /** The text as the user sees it, saved or not. */
  text(preview: Preview): string {
    const bytes = this.files.get(preview.uri.toString())?.bytes ?? new Uint8Array();
    return opened(preview.uri)?.getText() ?? new TextDecoder().decode(bytes);
  }

  /** Writes a preview to its place, as one undoable edit, and opens the file. False if the user declined. */
  async accept(preview: Preview, destination = preview.destination): Promise<boolean> {
    if (destination === undefined) return this.acceptAs(preview);
    const text = this.text(preview);
    if (!(await this.mayAccept(preview, destination, text))) return false;
    await write(destination, text);
    const goesOn = await this.discard(preview);
    if (!goesOn) await vscode.window.showTextDocument(destination, { preview: false });
    await this.pairs.add(preview.source, destination);
    return true;
  }

  /** As accept, to a place that the user names. */
  async acceptAs(preview: Preview): Promise<boolean> {
    const name = fileName(preview.result.fileName);
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    const suggested = preview.destination ?? (folder && vscode.Uri.joinPath(folder, name));
    const chosen = await vscode.window.showSaveDialog({
      title: `Accept ${name} as`,
      ...(suggested && { defaultUri: suggested }),
    });
    return chosen === undefined ? false : this.accept(preview, chosen);
  }

  /** Closes a preview; the file that it would become stays as it is. True if others are shown on in its place. */
  async discard(preview: Preview): Promise<boolean> {
    const document = opened(preview.uri);
    if (document?.isDirty) await document.save(); // so that closing does not ask
    const key = preview.uri.toString();
    const tabs = vscode.window.tabGroups.all
      .flatMap((group) => group.tabs)
      .filter(({ input }) => modifiedOf(input)?.toString() === key);
    await vscode.window.tabGroups.close(tabs);
    this.forget(key);
    return this.leave(preview);
  }

  /** Checks the text as it stands against the source. */
  async recheck(preview: Preview): Promise<void> {
    const source = await vscode.workspace.openTextDocument(preview.source);
    const texts = { source: source.getText(), target: this.text(preview) };
    const checked = await this.context.ask(`Verifying ${fileName(preview.result.fileName)}`, verify, {
      source: { uri: preview.source.toString(), text: texts.source },
      target: { uri: preview.uri.toString(), text: texts.target },
      to: preview.result.to,
    });
    // A verification knows no links and makes no text: those of the translation stay.
    preview.result = { ...preview.result, ...checked, fileName: preview.result.fileName, text: texts.target };
    this.changes.fire(preview);
  }

  /** Takes back the change at a line of the target. */
  async rejectChange(preview: Preview, editor: vscode.TextEditor): Promise<void> {
    const left = await vscode.workspace.openTextDocument(preview.original);
    const [original, modified] = [lines(left.getText()), lines(editor.document.getText())];
    const hunk = hunkAt(hunks(original, modified), editor.selection.active.line);
    if (hunk === undefined) {
      void vscode.window.setStatusBarMessage("There is no change here or below.", 3000);
      return;
    }
    const [start, end] = hunk.modified;
    modified.splice(start, end - start, ...original.slice(...hunk.original));
    const whole = new vscode.Range(0, 0, editor.document.lineCount, 0);
    await editor.edit((edit) => {
      edit.replace(whole, modified.join("\n"));
    });
    const place = new vscode.Position(start, 0);
    editor.selection = new vscode.Selection(place, place);
    editor.revealRange(new vscode.Range(place, place));
  }

  openEvidence(preview: Preview): void {
    this.evidence.show(preview.result, this.verdictOf(preview));
  }

  /** Follows the edits of both sides. */
  edited(event: vscode.TextDocumentChangeEvent): void {
    const key = event.document.uri.toString();
    for (const preview of this.previews.values()) {
      const side = preview.uri.toString() === key ? "target" : preview.source.toString() === key ? "source" : undefined;
      if (side === undefined) continue;
      for (const { range, text } of event.contentChanges) {
        preview.links = afterEdit(preview.links, side, { range, text });
      }
      this.changes.fire(preview);
    }
  }

  // The file system of previews: files by their names, nothing else.

  async stat(uri: vscode.Uri): Promise<vscode.FileStat> {
    const { bytes, changed } = await this.stored(uri);
    return { type: vscode.FileType.File, ctime: changed, mtime: changed, size: bytes.length };
  }

  async readFile(uri: vscode.Uri): Promise<Uint8Array> {
    return (await this.stored(uri)).bytes;
  }

  writeFile(uri: vscode.Uri, bytes: Uint8Array): void {
    this.files.set(uri.toString(), { bytes, changed: Date.now() });
    this.fileEvents.fire([{ type: vscode.FileChangeType.Changed, uri }]);
  }

  watch(): vscode.Disposable {
    return new vscode.Disposable(() => undefined);
  }

  readDirectory(): [string, vscode.FileType][] {
    return [];
  }

  createDirectory(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  delete(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  rename(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  /** A file; after a reload of the window, from the results that the server keeps. */
  private async stored(uri: vscode.Uri): Promise<Stored> {
    const key = uri.toString();
    const id = uri.path.split("/")[1] ?? "";
    if (!this.files.has(key)) {
      const kept = await this.context.connection.request(resultOf, { id }).catch(() => null);
      if (kept?.text && uriOf(kept).toString() === key) this.add(kept);
    }
    const file = this.files.get(key);
    if (file === undefined) throw vscode.FileSystemError.FileNotFound(uri);
    return file;
  }

  private add(result: JobResult, repaired?: vscode.Uri): Preview {
    const uri = uriOf(result);
    const known = this.previews.get(uri.toString());
    if (known) return known;
    const source = vscode.Uri.parse(result.source);
    for (const older of this.all()) {
      if (older.source.toString() === source.toString() && older.result.to === result.to) void this.discard(older);
    }
    const text = result.text ?? "";
    const preview: Preview = {
      uri,
      source,
      original: repaired ?? source,
      destination: repaired ?? (source.scheme === "file" ? vscode.Uri.joinPath(source, "..", fileName(result.fileName)) : undefined),
      result,
      links: result.links,
    };
    this.previews.set(uri.toString(), preview);
    this.files.set(uri.toString(), { bytes: new TextEncoder().encode(text), changed: Date.now() });
    this.changes.fire(preview);
    return preview;
  }

  private forget(key: string): void {
    const preview = this.previews.get(key);
    this.previews.delete(key);
    this.files.delete(key);
    if (preview) this.changes.fire(preview);
  }

  /** Asks where accepting would surprise: a file that is there, or a translation that was never verified. */
  private async mayAccept(preview: Preview, destination: vscode.Uri, text: string): Promise<boolean> {
    const { state, words } = this.verdictOf(preview);
    if (state === "unverified" && !(await confirmed(`Accept a translation that is not verified?`, words, "Accept Anyway"))) {
      return false;
    }
    const there = await existing(destination);
    if (there === undefined || there === text || destination.toString() === preview.original.toString()) return true;
    const name = fileName(destination.path);
    return confirmed(`Replace ${name}?`, `${name} is there already, with another text. Undo brings it back.`, "Replace");
  }
}

export function activate(context: Context, pairs: Pairs, evidence: EvidencePanel): Previews {
  const previews = new Previews(context, pairs, evidence);
  context.push(
    vscode.workspace.registerFileSystemProvider(SCHEME, previews, { isCaseSensitive: true }),
    vscode.workspace.onDidChangeTextDocument((event) => {
      previews.edited(event);
    }),
  );
  const command = (name: string, run: (preview: Preview) => unknown): void => {
    context.command(`xpiler.preview.${name}`, async (given) => {
      const uri = given instanceof vscode.Uri ? given : (given as Preview | undefined)?.uri; // of an editor, or of the list
      const preview = (uri instanceof vscode.Uri ? previews.get(uri) : undefined) ?? previews.shown();
      if (preview === undefined) void vscode.window.showInformationMessage("No translation is open here.");
      else await run(preview);
    });
  };
  command("accept", (preview) => previews.accept(preview));
  command("acceptAs", (preview) => previews.acceptAs(preview));
  command("discard", (preview) => previews.discard(preview));
  command("recheck", (preview) => previews.recheck(preview));
  command("evidence", (preview) => {
    previews.openEvidence(preview);
  });
  command("rejectChange", async (preview) => {
    const editor = vscode.window.visibleTextEditors.find(({ document }) => document.uri.toString() === preview.uri.toString());
    if (editor) await previews.rejectChange(preview, editor);
  });
  command("open", (preview) => previews.reveal(preview));
  return previews;
}

/** `xpiler-preview:/JOB/NAME`: the name gives the language, the job finds it again after a reload. */
function uriOf(result: JobResult): vscode.Uri {
  return vscode.Uri.from({ scheme: SCHEME, path: `/${result.jobId}/${fileName(result.fileName)}` });
}

function modifiedOf(input: unknown): vscode.Uri | undefined {
  if (input instanceof vscode.TabInputTextDiff) return input.modified;
  if (input instanceof vscode.TabInputText) return input.uri;
  return undefined;
}

function opened(uri: vscode.Uri): vscode.TextDocument | undefined {
  return vscode.workspace.textDocuments.find((document) => document.uri.toString() === uri.toString());
}

async function existing(uri: vscode.Uri): Promise<string | undefined> {
  try {
    return opened(uri)?.getText() ?? new TextDecoder().decode(await vscode.workspace.fs.readFile(uri));
  } catch (error) {
    if (error instanceof vscode.FileSystemError && error.code === "FileNotFound") return undefined;
    throw error;
  }
}

async function write(uri: vscode.Uri, text: string): Promise<void> {
  const creation = new vscode.WorkspaceEdit();
  creation.createFile(uri, { ignoreIfExists: true });
  if (!(await vscode.workspace.applyEdit(creation))) throw new Error(`${uri.fsPath} cannot be written.`);
  const document = await vscode.workspace.openTextDocument(uri);
  const filling = new vscode.WorkspaceEdit();
  filling.replace(uri, new vscode.Range(0, 0, document.lineCount, 0), text);
  if (!(await vscode.workspace.applyEdit(filling)) || !(await document.save())) {
    throw new Error(`${uri.fsPath} cannot be written.`);
  }
}

async function confirmed(message: string, detail: string, action: string): Promise<boolean> {
  return (await vscode.window.showWarningMessage(message, { modal: true, detail }, action)) === action;
}

function seconds(evidence: readonly Evidence[]): number {
  return evidence.reduce((sum, check) => sum + check.seconds, 0);
}

function lines(text: string): string[] {
  return text.split(/\r\n|\r|\n/);
}

function fileName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}
