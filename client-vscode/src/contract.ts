/** Asks for the values of a contract that could not be inferred; the answers are kept beside the kernel. */

import * as vscode from "vscode";
import type { Context } from "./context";
import { type Missing, setArguments } from "./protocol";

/** Asks for each value in turn and stores them. False if the user left. */
export async function askFor(context: Context, uri: string, missing: readonly Missing[]): Promise<boolean> {
  const answers: Record<string, string> = {};
  for (const [index, value] of missing.entries()) {
    const answer = await vscode.window.showInputBox({
      title: `What the kernel is called with: ${value.name} (${index + 1} of ${missing.length})`,
      prompt: value.message,
      placeHolder: example(value),
      ignoreFocusOut: true,
      validateInput: (text) => problem(value, text),
    });
    if (answer === undefined) return false;
    answers[value.name] = answer.trim();
  }
  const { sidecar } = await context.connection.request(setArguments, { uri, arguments: answers });
  context.log.info(`The answers are in ${vscode.Uri.parse(sidecar).fsPath}.`);
  return true;
}

function example(missing: Missing): string {
  switch (missing.kind) {
    case "grid":
    case "block":
      return "256 or 16,16";
    case "shape":
      return "m, n";
    default:
      return "1024, or several: 100, 257";
  }
}

/** What is wrong with an answer, if the client can tell; the rest is the server's to say. */
export function problem(missing: Missing, answer: string): string | undefined {
  if (answer.trim() === "") return `${missing.name} needs a value.`;
  if (/["\n]/.test(answer)) return "No quotes and no line ends.";
  return undefined;
}
