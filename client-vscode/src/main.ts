/** The extension: it draws and asks; what is right is decided by the server. */

import * as vscode from "vscode";
import { Context } from "./context";
import * as diagnosticsReport from "./diagnosticsReport";
import * as evidence from "./evidence";
import * as jobs from "./jobs";
import * as matching from "./matching";
import * as models from "./models";
import { Pairs } from "./pairs";
import * as preview from "./preview";
import * as sample from "./sample";
import * as secrets from "./secrets";
import { Server } from "./server";
import * as status from "./status";
import * as suggestions from "./suggestions";
import * as testing from "./testing";
import * as translate from "./translate";
import * as translations from "./translations";
import * as tuning from "./tuning";
import * as verify from "./verify";

export async function activate(extension: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("Xpiler", { log: true });
  const server = new Server(extension, log);
  const context = new Context(extension, log, server);
  context.push(log, server);

  const panel = evidence.activate(context);
  const pairs = new Pairs(context);
  const previews = preview.activate(context, pairs, panel);
  const states = status.activate(context);
  const translator = translate.activate(context, previews, panel);
  verify.activate(context, pairs, previews, panel);
  translations.activate(context, previews);
  jobs.activate(context, translator, panel);
  tuning.activate(context);
  models.activate(context);
  matching.activate(context, previews);
  suggestions.activate(context);
  testing.activate(context, states, pairs);
  await secrets.activate(context, server);
  sample.activate(context);
  diagnosticsReport.activate(context, server);
  server.activate(context);
  await server.start();
}

export function deactivate(): void {
  // Whatever runs is in the context's subscriptions.
}
