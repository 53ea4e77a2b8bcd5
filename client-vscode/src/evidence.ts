/** The panel with the evidence of a translation. */

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type { Context } from "./context";
import { evidencePage } from "./evidencePage";
import type { JobResult } from "./protocol";
import type { Verdict } from "./verdict";

export class EvidencePanel implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;

  /** Shows the evidence of a result, and what of it holds for the text as it stands now. */
  show(result: JobResult, now?: Verdict): void {
    const panel = this.panel ?? this.create();
    const name = result.fileName.replace(/^.*[\\/]/, "");
    panel.title = `Evidence: ${name}`;
    panel.webview.html = evidencePage(result, randomBytes(16).toString("base64url"), now);
    panel.reveal(undefined, false);
  }

  dispose(): void {
    this.panel?.dispose();
  }

  private create(): vscode.WebviewPanel {
    const options = { enableScripts: false, localResourceRoots: [], enableFindWidget: true };
    const panel = vscode.window.createWebviewPanel("xpiler.evidence", "Evidence", vscode.ViewColumn.Active, options);
    panel.onDidDispose(() => {
      this.panel = undefined;
    });
    this.panel = panel;
    return panel;
  }
}

export function activate(context: Context): EvidencePanel {
  const panel = new EvidencePanel();
  context.push(panel);
  return panel;
}
