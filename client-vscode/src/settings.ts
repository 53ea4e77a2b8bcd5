/** The settings of the section `xpiler`, read in this one place. */

import * as vscode from "vscode";

export const SECTION = "xpiler";

/** The interpreter that the user named, or an empty text. */
export function python(): string {
  return read("server.python", "").trim();
}

/** Whether the server comes from the extension, or from the interpreter's own packages. */
export function libraries(): "bundled" | "environment" {
  return read<string>("server.libraries", "bundled") === "environment" ? "environment" : "bundled";
}

export function trace(): "off" | "messages" | "verbose" {
  const value = read<string>("trace", "off");
  return value === "messages" || value === "verbose" ? value : "off";
}

export function gutter(): boolean {
  return read("editor.gutter", true);
}

export function matching(): boolean {
  return read("editor.matching", true);
}

/** The name of the model that the user chose, or an empty text. */
export function model(): string {
  return read("model.name", "").trim();
}

/** Changes what is given of the model, for all workspaces: no workspace says where a key is sent. */
export async function setModel(changes: { name?: string; baseUrl?: string; enable?: boolean }): Promise<void> {
  const section = vscode.workspace.getConfiguration(SECTION);
  for (const [name, value] of Object.entries(changes)) {
    await section.update(`model.${name}`, value, vscode.ConfigurationTarget.Global);
  }
}

/** What the server gets: the whole section, and whether the user trusts the workspace. */
export function forServer(scope?: vscode.Uri): Record<string, unknown> {
  const section = vscode.workspace.getConfiguration(undefined, scope).get<Record<string, unknown>>(SECTION) ?? {};
  return { ...section, trusted: vscode.workspace.isTrusted };
}

function read<T>(name: string, otherwise: T): T {
  return vscode.workspace.getConfiguration(SECTION).get<T>(name) ?? otherwise;
}
