/** The language model that sketches translations: chosen from the endpoint's list, and tried. */

import * as vscode from "vscode";
import type { Context } from "./context";
import { models, tryModel } from "./protocol";
import * as settings from "./settings";

const OTHER = "Enter a Name…";
const NONE = "No Model";
const ADDRESS = "Change Address…";

export function activate(context: Context): void {
  context.command("xpiler.selectModel", () => select(context));
  context.command("xpiler.testModel", () => test(context));
}

async function select(context: Context): Promise<void> {
  const { baseUrl, models: names, error } = await context.ask("Asking the endpoint for its models", models, {});
  const detail = error ? `${baseUrl}: ${error}` : baseUrl;
  const items = [
    ...names.map((label) => ({ label, description: label === settings.model() ? "chosen" : "" })),
    { label: "", kind: vscode.QuickPickItemKind.Separator },
    { label: OTHER, description: "for an endpoint that does not list its models" },
    { label: ADDRESS, description: detail },
    { label: NONE, description: "the engine does the whole job" },
  ];
  const chosen = await vscode.window.showQuickPick(items, { title: "The language model that sketches translations", placeHolder: detail });
  if (chosen === undefined) return;
  if (chosen.label === ADDRESS) {
    if (await changeAddress(baseUrl)) await select(context);
    return;
  }
  const name = chosen.label === NONE ? "" : chosen.label === OTHER ? await vscode.window.showInputBox({ title: "Name of the model" }) : chosen.label;
  if (name === undefined) return;
  await settings.setModel({ name: name.trim(), enable: chosen.label !== NONE });
  if (name.trim() !== "") void vscode.window.showInformationMessage(`Xpiler: ${name} sketches translations from now on.`, "Test Connection").then((pressed) => pressed && test(context));
}

async function changeAddress(now: string): Promise<boolean> {
  const baseUrl = await vscode.window.showInputBox({
    title: "Address of an OpenAI-compatible endpoint",
    prompt: "The key is not part of it: “Xpiler: Set API Key of the Language Model…” keeps that.",
    value: now,
    placeHolder: "http://localhost:11434/v1",
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === "" || /^https?:\/\/[^\s?@]+$/.test(text.trim()) ? undefined : "An address that begins with http:// or https://, without a key."),
  });
  if (baseUrl === undefined) return false;
  await settings.setModel({ baseUrl: baseUrl.trim() });
  return true;
}

async function test(context: Context): Promise<void> {
  const { ok, message } = await context.ask("Asking the model a question of one word", tryModel, {});
  if (ok) {
    void vscode.window.showInformationMessage(`Xpiler: ${message}`);
    return;
  }
  const pressed = await vscode.window.showErrorMessage(`Xpiler: ${message}`, "Select Model", "Set API Key");
  if (pressed === "Select Model") await select(context);
  if (pressed === "Set API Key") await vscode.commands.executeCommand("xpiler.setApiKey");
}
