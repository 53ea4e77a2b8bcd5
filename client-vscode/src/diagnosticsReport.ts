/** "Collect Diagnostics": what somebody who helps has to know, without names of people or texts of kernels. */

import * as vscode from "vscode";
import type { Context } from "./context";
import { collectDiagnostics } from "./protocol";
import type { Server } from "./server";
import * as settings from "./settings";

export function activate(context: Context, server: Server): void {
  context.command("xpiler.collectDiagnostics", async () => {
    const { packageJSON } = context.extension.extension as { packageJSON: { version: string } };
    const told = await context.connection.request(collectDiagnostics, {}).then(
      ({ text }) => text,
      (error: unknown) => `The server does not answer: ${error instanceof Error ? error.message : String(error)}`,
    );
    const content = [
      "# Xpiler diagnostics",
      "",
      `- extension: ${packageJSON.version}`,
      `- editor: ${vscode.env.appName} ${vscode.version} (${vscode.env.uiKind === vscode.UIKind.Web ? "web" : "desktop"}${vscode.env.remoteName ? `, ${vscode.env.remoteName}` : ""})`,
      `- system: ${process.platform} ${process.arch}, Node ${process.versions.node}`,
      `- server: ${server.found}`,
      `- workspace: ${vscode.workspace.isTrusted ? "trusted" : "not trusted"}`,
      `- settings: \`${JSON.stringify(settings.forServer())}\``,
      "",
      "## Server",
      "",
      told,
      "",
    ].join("\n");
    const document = await vscode.workspace.openTextDocument({ language: "markdown", content });
    await vscode.window.showTextDocument(document, { preview: false });
  });
}
