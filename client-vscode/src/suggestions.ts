/** Repairs as ghost text: VS Code asks for suggestions while one types; here it is asked to where a diagnostic has the cursor. */

import * as vscode from "vscode";
import type { Context } from "./context";
import { LANGUAGES } from "./platforms";

export function activate(context: Context): void {
  let last = "";

  const suggest = (): void => {
    const editor = vscode.window.activeTextEditor;
    if (!editor || !(editor.document.languageId in LANGUAGES) || !editor.selection.isEmpty) return;
    const { line } = editor.selection.active;
    const here = vscode.languages
      .getDiagnostics(editor.document.uri)
      .filter(({ source, range }) => source === "xpiler" && range.start.line <= line && line <= range.end.line);
    const place = `${editor.document.uri.toString()} ${String(line)} ${here.map(({ message }) => message).join()}`;
    if (here.length > 0 && place !== last) void vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
    last = place;
  };
  context.push(
    vscode.window.onDidChangeTextEditorSelection(suggest),
    vscode.languages.onDidChangeDiagnostics(suggest),
  );
}
