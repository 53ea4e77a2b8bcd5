/** Which file was translated from which: kept over reloads of the window, and told to every new server. */

import * as vscode from "vscode";
import type { Context } from "./context";
import { pair } from "./protocol";

const KEY = "xpiler.pairs";

export class Pairs {
  constructor(private readonly context: Context) {
    context.push(
      context.connection.onRunning((running) => {
        if (running) void this.tell();
      }),
    );
  }

  /** Remembers a translation that was accepted, and has the server verify it in the background. */
  async add(source: vscode.Uri, target: vscode.Uri): Promise<void> {
    await this.context.extension.workspaceState.update(KEY, { ...this.kept(), [target.toString()]: source.toString() });
    await this.context.connection.request(pair, { source: source.toString(), target: target.toString() });
  }

  sourceOf(target: vscode.Uri): vscode.Uri | undefined {
    const source = this.kept()[target.toString()];
    return source === undefined ? undefined : vscode.Uri.parse(source);
  }

  targetsOf(source: vscode.Uri): vscode.Uri[] {
    const from = source.toString();
    return Object.entries(this.kept()).flatMap(([target, of]) => (of === from ? [vscode.Uri.parse(target)] : []));
  }

  private async tell(): Promise<void> {
    const there: Record<string, string> = {};
    try {
      for (const [target, source] of Object.entries(this.kept())) {
        if (!(await exists(target)) || !(await exists(source))) continue;
        there[target] = source;
        await this.context.connection.request(pair, { source, target });
      }
      await this.context.extension.workspaceState.update(KEY, there);
    } catch (error) {
      this.context.log.warn(`Pairs: ${String(error)}`);
    }
  }

  private kept(): Record<string, string> {
    return this.context.extension.workspaceState.get<Record<string, string>>(KEY, {});
  }
}

async function exists(uri: string): Promise<boolean> {
  try {
    await vscode.workspace.fs.stat(vscode.Uri.parse(uri));
    return true;
  } catch {
    return false;
  }
}
