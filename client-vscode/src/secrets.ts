/** The key of the language model's endpoint: in the editor's secret storage, and in the server's environment only. */

import type { Context } from "./context";
import type { Server } from "./server";
import * as vscode from "vscode";

const SECRET = "xpiler.apiKey";
const VARIABLE = "XPILER_API_KEY";

export async function activate(context: Context, server: Server): Promise<void> {
  const { secrets } = context.extension;
  context.command("xpiler.setApiKey", async () => {
    const key = await vscode.window.showInputBox({
      title: "API key of the language model's endpoint",
      prompt: "It is kept in the secret storage of the editor, and given to the server only.",
      password: true,
      ignoreFocusOut: true,
      validateInput: (text) => (text.trim() ? undefined : "A key is not empty."),
    });
    if (key !== undefined) await secrets.store(SECRET, key.trim());
  });
  context.command("xpiler.clearApiKey", () => secrets.delete(SECRET));
  context.push(
    secrets.onDidChange(async ({ key }) => {
      if (key !== SECRET) return;
      server.setEnvironment(VARIABLE, await secrets.get(SECRET));
      await server.restart();
    }),
  );
  server.setEnvironment(VARIABLE, await secrets.get(SECRET));
}
