/** Statements of source and translation that belong together are highlighted together. */

import * as vscode from "vscode";
import type { Context } from "./context";
import { partners } from "./links";
import { LANGUAGES } from "./platforms";
import type { Preview, Previews } from "./preview";
import { counterpart, type Range } from "./protocol";
import * as settings from "./settings";

export function activate(context: Context, previews: Previews): void {
  const highlight = vscode.window.createTextEditorDecorationType({
    backgroundColor: new vscode.ThemeColor("xpiler.matchingBackground"),
    border: "1px solid",
    borderColor: new vscode.ThemeColor("xpiler.matchingBorder"),
    overviewRulerColor: new vscode.ThemeColor("xpiler.matchingBackground"),
    overviewRulerLane: vscode.OverviewRulerLane.Center,
  });
  context.push(highlight);

  const draw = (editor: vscode.TextEditor | undefined): void => {
    if (editor === undefined) return;
    for (const preview of previews.all()) {
      const side = sideOf(preview, editor.document.uri);
      if (side === undefined) continue;
      const found = settings.matching() ? partners(preview.links, side, editor.selection.active) : [];
      for (const other of vscode.window.visibleTextEditors) {
        const shown = sideOf(preview, other.document.uri);
        if (shown !== undefined) other.setDecorations(highlight, found.map((link) => rangeOf(link[shown])));
      }
      const [first] = found;
      if (first) scroll(preview, side === "source" ? "target" : "source", first);
    }
  };
  context.push(
    vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
      draw(textEditor);
    }),
    previews.onDidChange(() => {
      draw(vscode.window.activeTextEditor);
    }),
  );
  context.command("xpiler.goToCounterpart", async () => {
    const editor = vscode.window.activeTextEditor;
    if (!editor || !(editor.document.languageId in LANGUAGES)) return;
    const place = inPreview(previews, editor) ?? (await onDisk(context, editor));
    if (place === undefined) {
      void vscode.window.setStatusBarMessage("No statement of another file is known to match this one.", 3000);
      return;
    }
    const { uri, range } = place;
    const shown = vscode.window.visibleTextEditors.find(({ document }) => document.uri.toString() === uri.toString());
    await vscode.window.showTextDocument(uri, { selection: range, ...(shown?.viewColumn && { viewColumn: shown.viewColumn }) });
  });
}

/** In a diff the sides scroll together by lines; where the match is off screen it is brought there. */
function scroll(preview: Preview, side: "source" | "target", link: Record<"source" | "target", Range>): void {
  const uri = side === "source" ? preview.source : preview.uri;
  const editor = vscode.window.visibleTextEditors.find(({ document }) => document.uri.toString() === uri.toString());
  const range = rangeOf(link[side]);
  if (editor && !editor.visibleRanges.some((visible) => visible.intersection(range))) editor.revealRange(range);
}

function inPreview(previews: Previews, editor: vscode.TextEditor): { uri: vscode.Uri; range: vscode.Range } | undefined {
  for (const preview of previews.all()) {
    const side = sideOf(preview, editor.document.uri);
    const [link] = side === undefined ? [] : partners(preview.links, side, editor.selection.active);
    if (link === undefined) continue;
    return side === "source"
      ? { uri: preview.uri, range: rangeOf(link.target) }
      : { uri: preview.source, range: rangeOf(link.source) };
  }
  return undefined;
}

async function onDisk(context: Context, editor: vscode.TextEditor): Promise<{ uri: vscode.Uri; range: vscode.Range } | undefined> {
  const { line, character } = editor.selection.active;
  const uri = editor.document.uri.toString();
  const place = await context.connection.request(counterpart, { uri, position: { line, character } });
  return place === null ? undefined : { uri: vscode.Uri.parse(place.uri), range: rangeOf(place.range) };
}

function sideOf(preview: Preview, uri: vscode.Uri): "source" | "target" | undefined {
  const key = uri.toString();
  return key === preview.uri.toString() ? "target" : key === preview.source.toString() ? "source" : undefined;
}

function rangeOf({ start, end }: Range): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}
