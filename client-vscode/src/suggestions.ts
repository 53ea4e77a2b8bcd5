/** Repairs as ghost text: VS Code asks for suggestions while one types; here it is asked to where a finding has the cursor. */

import * as vscode from "vscode";
import type { Context } from "./context";
import { LANGUAGES } from "./platforms";

export function activate(context: Context): void {
  const suggest = (): void => {
    const editor = vscode.window.activeTextEditor;
    if (!editor || !(editor.document.languageId in LANGUAGES) || !editor.selection.isEmpty) return;
    const { line } = editor.selection.active;
    const found = vscode.languages.getDiagnostics(editor.document.uri);
    if (found.some(({ source, range }) => source === "xpiler" && range.start.line <= line && line <= range.end.line)) {
      void vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
    }
  };
  context.push(
    vscode.window.onDidChangeTextEditorSelection(suggest), // a suggestion ends where the cursor moves
    vscode.languages.onDidChangeDiagnostics(suggest),
  );
}
