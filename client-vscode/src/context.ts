/** What every feature works with: the connection to the server, the log, and who disposes what. */

import * as vscode from "vscode";
import type { Notification, Request } from "./protocol";

/** The server as features see it. Requests fail with `NotRunning` while there is none. */
export interface Connection {
  request<P, R>(request: Request<P, R>, params: P, token?: vscode.CancellationToken, progress?: Progress): Promise<R>;
  onNotification<P>(notification: Notification<P>, handler: (params: P) => void): vscode.Disposable;
  /** Fires with true when a server has started, with false when it has gone, for whatever reason. */
  readonly onRunning: vscode.Event<boolean>;
}

export type Progress = (message: string, percentage?: number) => void;

/** There is no server: the user has been told why already. */
export class NotRunning extends Error {
  constructor() {
    super("The Xpiler server is not running.");
  }
}

/** The user cancelled: nothing to report. */
export class Cancelled extends Error {}

export class Context {
  constructor(
    readonly extension: vscode.ExtensionContext,
    readonly log: vscode.LogOutputChannel,
    readonly connection: Connection,
  ) {}

  /** Registers a command whose failures the user sees, except that he cancelled it. */
  command(name: string, run: (...args: unknown[]) => unknown): void {
    this.push(
      vscode.commands.registerCommand(name, async (...args: unknown[]) => {
        try {
          return await run(...args);
        } catch (error) {
          await this.report(error);
          return undefined;
        }
      }),
    );
  }

  push(...disposables: { dispose(): unknown }[]): void {
    this.extension.subscriptions.push(...disposables);
  }

  /** Runs a request behind a notification with its progress and a Cancel button. */
  ask<P, R>(title: string, request: Request<P, R>, params: P): Promise<R> {
    return Promise.resolve(
      vscode.window.withProgress(
        { location: vscode.ProgressLocation.Notification, title, cancellable: true },
        (progress, token) => {
          let shown = 0;
          return this.connection.request(request, params, token, (message, percentage) => {
            const increment = percentage === undefined ? 0 : Math.max(0, percentage - shown);
            shown += increment;
            progress.report({ message, increment });
          });
        },
      ),
    );
  }

  /** Says what went wrong, with the log at hand. */
  async report(error: unknown): Promise<void> {
    if (error instanceof Cancelled) return;
    const message = error instanceof Error ? error.message : String(error);
    this.log.error(error instanceof Error ? (error.stack ?? message) : message);
    const pressed = await vscode.window.showErrorMessage(`Xpiler: ${message}`, "Show Log");
    if (pressed !== undefined) this.log.show();
  }
}
