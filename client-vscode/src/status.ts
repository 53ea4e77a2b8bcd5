/** Draws the states of kernels: beside their names, and in the status bar for the one at the cursor. */

import * as vscode from "vscode";
import type { Context } from "./context";
import { LANGUAGES } from "./platforms";
import { SCHEME } from "./preview";
import { type KernelStatus, statusChanged } from "./protocol";
import * as settings from "./settings";
import { type Mark, markOf, sentences, States } from "./states";

const COLORS: Readonly<Record<Mark, string>> = {
  proved: "testing.iconPassed",
  tested: "charts.blue",
  failed: "testing.iconFailed",
  pending: "charts.yellow",
  none: "testing.iconSkipped",
};
const ICONS: Readonly<Record<Mark, string>> = {
  proved: "$(verified-filled)",
  tested: "$(pass)",
  failed: "$(error)",
  pending: "$(sync~spin)",
  none: "$(circle-large-outline)",
};
const MARKS = Object.keys(COLORS) as Mark[];

export function activate(context: Context): States {
  const states = new States();
  const item = vscode.window.createStatusBarItem("status", vscode.StatusBarAlignment.Left, 85);
  item.name = "Xpiler: Kernel";
  item.command = "xpiler.showEvidence";
  const gutter = new Map<string, vscode.TextEditorDecorationType>();
  for (const mark of MARKS) {
    gutter.set(mark, decoration(context, mark, COLORS[mark]));
    gutter.set(`${mark}-stale`, decoration(context, `${mark}-stale`, "disabledForeground"));
  }
  context.push(item, ...gutter.values());

  let running = false;
  const draw = (): void => {
    for (const editor of vscode.window.visibleTextEditors) {
      if (editor.document.uri.scheme === SCHEME) continue;
      const places = new Map<string, vscode.DecorationOptions[]>();
      for (const kernel of settings.gutter() ? states.of(editor.document) : []) {
        const { mark, stale } = markOf(kernel);
        const key = stale ? `${mark}-stale` : mark;
        const hoverMessage = sentences(kernel).map((words) => new vscode.MarkdownString().appendText(words));
        places.set(key, [...(places.get(key) ?? []), { range: range(kernel), hoverMessage }]);
      }
      for (const [key, type] of gutter) editor.setDecorations(type, places.get(key) ?? []);
    }
    drawItem(item, states, running);
  };
  context.push(
    context.connection.onNotification(statusChanged, (status) => {
      if (vscode.Uri.parse(status.uri).scheme !== SCHEME) states.set(status); // previews have verdicts of their own
    }),
    context.connection.onRunning((now) => {
      running = now;
      if (!now) states.clear();
      draw();
    }),
    states.onDidChange(draw),
    vscode.window.onDidChangeVisibleTextEditors(draw),
    vscode.window.onDidChangeActiveTextEditor(draw),
    vscode.window.onDidChangeTextEditorSelection(draw),
    vscode.workspace.onDidChangeTextDocument(draw),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => {
      states.forget(uri);
    }),
    vscode.workspace.onDidChangeConfiguration(draw),
  );
  return states;
}

/** The kernel at the cursor, else all of the file in one word. */
function drawItem(item: vscode.StatusBarItem, states: States, running: boolean): void {
  const editor = vscode.window.activeTextEditor;
  if (!editor || !(editor.document.languageId in LANGUAGES) || editor.document.uri.scheme === SCHEME) {
    item.hide();
    return;
  }
  const kernels = states.of(editor.document);
  const line = editor.selection.active.line;
  const kernel = kernels.find(({ range: { start, end } }) => start.line <= line && line <= end.line) ?? kernels[0];
  if (!running) {
    item.text = "$(debug-disconnect) Xpiler";
    item.tooltip = "The Xpiler server is not running. Press to see the log.";
    item.command = "xpiler.showLog";
  } else if (kernel === undefined) {
    item.hide();
    return;
  } else {
    const { mark, stale } = markOf(kernel);
    item.text = `${stale ? "$(history)" : ICONS[mark]} ${kernel.name}: ${mark === "none" ? "nothing shown yet" : mark}${stale ? ", stale" : ""}`;
    item.tooltip = sentences(kernel).join("\n");
    item.command = "xpiler.showEvidence";
  }
  item.accessibilityInformation = { label: typeof item.tooltip === "string" ? item.tooltip : "Xpiler", role: "button" };
  item.show();
}

function decoration(context: Context, image: string, color: string): vscode.TextEditorDecorationType {
  return vscode.window.createTextEditorDecorationType({
    gutterIconPath: vscode.Uri.joinPath(context.extension.extensionUri, "images", `gutter-${image}.svg`),
    gutterIconSize: "80%",
    overviewRulerColor: new vscode.ThemeColor(color),
    overviewRulerLane: vscode.OverviewRulerLane.Left,
  });
}

function range({ selectionRange: { start, end } }: KernelStatus): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}
