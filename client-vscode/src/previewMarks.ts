/** What may be said of a preview: among its first lines, in the status bar, and for its buttons. */

import * as vscode from "vscode";
import type { Context } from "./context";
import { type Preview, type Previews, SCHEME } from "./preview";
import type { Verdict } from "./verdict";

const ICONS: Readonly<Record<Verdict["state"], string>> = {
  verified: "$(verified-filled)",
  unverified: "$(error)",
  edited: "$(warning)",
  stale: "$(warning)",
  unknown: "$(question)",
};

export function activate(context: Context, previews: Previews): void {
  const good = lineEnd("charts.green");
  const bad = lineEnd("editorWarning.foreground");
  const item = vscode.window.createStatusBarItem("preview", vscode.StatusBarAlignment.Left, 90);
  item.name = "Xpiler: Translation";
  item.command = "xpiler.preview.evidence";
  context.push(good, bad, item);

  const draw = (): void => {
    let active: Preview | undefined;
    for (const editor of vscode.window.visibleTextEditors) {
      const preview = editor.document.uri.scheme === SCHEME ? previews.get(editor.document.uri) : undefined;
      if (preview === undefined) continue;
      const { state, words } = previews.verdictOf(preview);
      const line = roomy(editor.document);
      const end = new vscode.Range(line, Number.MAX_SAFE_INTEGER, line, Number.MAX_SAFE_INTEGER);
      const mark = { range: end, renderOptions: { after: { contentText: `  ${state === "verified" ? "✓" : "⚠"} ${words}` } } };
      editor.setDecorations(good, state === "verified" ? [mark] : []);
      editor.setDecorations(bad, state === "verified" ? [] : [mark]);
      const shown = vscode.window.activeTextEditor?.document.uri.toString();
      if (shown === preview.uri.toString() || shown === preview.source.toString()) active = preview;
    }
    if (active === undefined) item.hide();
    else {
      const { state, words } = previews.verdictOf(active);
      item.text = `${ICONS[state]} Translation ${state === "unknown" ? "not checked again" : state}`;
      item.tooltip = words;
      item.accessibilityInformation = { label: `Translation: ${words}`, role: "button" };
      item.backgroundColor = state === "verified" ? undefined : new vscode.ThemeColor("statusBarItem.warningBackground");
      item.show();
    }
    const open = previews.all().filter((preview) => previews.verdictOf(preview).state !== "verified");
    void vscode.commands.executeCommand("setContext", "xpiler.editedPreviews", open.map(({ uri }) => uri.toString()));
  };
  context.push(
    previews.onDidChange(draw),
    vscode.window.onDidChangeVisibleTextEditors(draw),
    vscode.window.onDidChangeActiveTextEditor(draw),
  );
}

/** The first line at the top with nothing on it, where a sentence can be seen; else the shortest. */
function roomy(document: vscode.TextDocument): number {
  const lengths = Array.from({ length: Math.min(12, document.lineCount) }, (_, i) => document.lineAt(i).text.length);
  return Math.max(0, lengths.indexOf(Math.min(...lengths)));
}

function lineEnd(color: string): vscode.TextEditorDecorationType {
  return vscode.window.createTextEditorDecorationType({
    after: { color: new vscode.ThemeColor(color), fontStyle: "italic" },
  });
}
