/** The server's life: start, restart, crashes, settings and trust. */

import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  LSPErrorCodes,
  ResponseError,
  State,
  Trace,
  WorkDoneProgress,
  type LanguageClientOptions,
} from "vscode-languageclient/node";
import { Cancelled, type Connection, type Context, NotRunning, type Progress } from "./context";
import { findLaunch, NoPython } from "./interpreter";
import { LANGUAGES } from "./platforms";
import type { Notification, Request } from "./protocol";
import * as settings from "./settings";

const PREVIEW_SCHEME = "xpiler-preview";
const CRASHES = 4; // within CRASH_WINDOW_MS; then the user is asked
const CRASH_WINDOW_MS = 180_000;

export class Server implements Connection, vscode.Disposable {
  private client: LanguageClient | undefined;
  private starting: Promise<void> = Promise.resolve();
  private tokens = 0;
  private crashes: number[] = [];
  private readonly running = new vscode.EventEmitter<boolean>();
  private readonly handlers: [string, (params: unknown) => void][] = [];
  private readonly environment: NodeJS.ProcessEnv = {};
  readonly onRunning = this.running.event;
  /** What runs the server, in words. */
  found = "nothing was started";

  constructor(
    private readonly extension: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  activate(context: Context): void {
    context.command("xpiler.restartServer", () => this.restart());
    context.command("xpiler.showLog", () => {
      this.log.show();
    });
    context.command("xpiler.selectInterpreter", () => this.selectInterpreter());
    context.push(
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration("xpiler.server")) void this.restart();
        else if (event.affectsConfiguration(settings.SECTION)) void this.sendSettings();
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => void this.sendSettings()),
    );
  }

  /** Sets a variable of the server's environment; it counts from the next start. */
  setEnvironment(name: string, value: string | undefined): void {
    if (value === undefined) Reflect.deleteProperty(this.environment, name);
    else this.environment[name] = value;
  }

  /** Starts the server; where that fails, one message says what to do. */
  start(): Promise<void> {
    this.starting = this.starting.then(() => this.launch());
    return this.starting;
  }

  async restart(): Promise<void> {
    this.crashes = [];
    this.starting = this.starting.then(() => this.stop()).then(() => this.launch());
    await this.starting;
  }

  async request<P, R>(
    request: Request<P, R>,
    params: P,
    token?: vscode.CancellationToken,
    progress?: Progress,
  ): Promise<R> {
    await this.starting;
    const client = this.client;
    if (client?.state !== State.Running) throw new NotRunning();
    const workDoneToken = `xpiler-client-${++this.tokens}`;
    const listening = progress && client.onProgress(WorkDoneProgress.type, workDoneToken, (value) => {
      if (value.kind === "report") progress(value.message ?? "", value.percentage);
      else if (value.kind === "begin" && value.message) progress(value.message, value.percentage);
    });
    try {
      const sent = progress ? { ...params, workDoneToken } : params;
      return await (token === undefined
        ? client.sendRequest<R>(request.method, sent)
        : client.sendRequest<R>(request.method, sent, token));
    } catch (error) {
      throw translated(error, token);
    } finally {
      listening?.dispose();
    }
  }

  onNotification<P>(notification: Notification<P>, handler: (params: P) => void): vscode.Disposable {
    const entry: [string, (params: unknown) => void] = [notification.method, handler as (params: unknown) => void];
    this.handlers.push(entry);
    return new vscode.Disposable(() => this.handlers.splice(this.handlers.indexOf(entry), 1));
  }

  dispose(): void {
    void this.stop();
    this.running.dispose();
  }

  private async launch(): Promise<void> {
    try {
      const { extensionPath, globalStorageUri } = this.extension;
      const cache = vscode.Uri.joinPath(globalStorageUri, "pycache").fsPath;
      const launch = await findLaunch(extensionPath, cache, { ...process.env, ...this.environment });
      this.found = launch.found;
      this.log.info(`Server: ${launch.found}`);
      const options = { cwd: launch.cwd, env: launch.env };
      const run = { command: launch.command, args: launch.args, options };
      const client = new LanguageClient("xpiler", "Xpiler", run, this.clientOptions());
      client.onDidChangeState(({ newState }) => {
        if (newState === State.Starting) return;
        void vscode.commands.executeCommand("setContext", "xpiler.running", newState === State.Running);
        this.running.fire(newState === State.Running);
      });
      for (const [method, handler] of this.handlers) client.onNotification(method, handler);
      this.client = client;
      await client.start();
      await client.setTrace({ off: Trace.Off, messages: Trace.Messages, verbose: Trace.Verbose }[settings.trace()]);
    } catch (error) {
      this.client = undefined;
      this.found = error instanceof Error ? error.message : String(error);
      this.log.error(this.found);
      void this.explain(error);
    }
  }

  private async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client === undefined) return;
    this.running.fire(false);
    try {
      await client.dispose(5000);
    } catch (error) {
      this.log.warn(`The server did not stop as asked: ${String(error)}`);
    }
  }

  private clientOptions(): LanguageClientOptions {
    const schemes = ["file", "untitled", PREVIEW_SCHEME];
    return {
      documentSelector: Object.keys(LANGUAGES).flatMap((language) =>
        schemes.map((scheme) => ({ scheme, language })),
      ),
      outputChannel: this.log,
      initializationOptions: {
        client: { status: true, jobs: true, commands: true },
        settings: settings.forServer(),
      },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.closed(),
      },
      middleware: {
        workspace: {
          configuration: (params) =>
            params.items.map((item) => {
              const scope = item.scopeUri === undefined ? undefined : vscode.Uri.parse(item.scopeUri);
              return item.section === settings.SECTION
                ? settings.forServer(scope)
                : (vscode.workspace.getConfiguration(undefined, scope).get<unknown>(item.section ?? "") ?? null);
            }),
        },
      },
    };
  }

  /** A server that has gone is started again, unless it does nothing but go. */
  private closed(): { action: CloseAction; handled: boolean } {
    const now = Date.now();
    this.crashes = [...this.crashes.filter((at) => now - at < CRASH_WINDOW_MS), now];
    this.log.warn(`The server stopped by itself (${this.crashes.length} in three minutes).`);
    if (this.crashes.length <= CRASHES) {
      this.log.info("It is started again.");
      return { action: CloseAction.Restart, handled: true };
    }
    void this.explain(new Error(`The server stopped ${this.crashes.length} times within three minutes.`));
    return { action: CloseAction.DoNotRestart, handled: true };
  }

  /** The one message about a server that cannot be started, with what to do about it. */
  private async explain(error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    const action = error instanceof NoPython ? "Select Interpreter" : "Restart Server";
    const pressed = await vscode.window.showErrorMessage(`Xpiler: ${message}`, action, "Open Settings", "Show Log");
    if (pressed === "Select Interpreter") await this.selectInterpreter();
    else if (pressed === "Restart Server") await this.restart();
    else if (pressed === "Open Settings") {
      await vscode.commands.executeCommand("workbench.action.openSettings", "xpiler.server");
    } else if (pressed === "Show Log") this.log.show();
  }

  private async selectInterpreter(): Promise<void> {
    const chosen = await vscode.window.showOpenDialog({
      title: "The Python that runs the Xpiler server",
      openLabel: "Select Python",
      canSelectFiles: true,
    });
    const path = chosen?.[0]?.fsPath;
    if (path === undefined) return;
    const configuration = vscode.workspace.getConfiguration(settings.SECTION);
    await configuration.update("server.python", path, vscode.ConfigurationTarget.Global); // restarts the server
  }

  private async sendSettings(): Promise<void> {
    if (this.client?.state !== State.Running) return;
    await this.client.setTrace({ off: Trace.Off, messages: Trace.Messages, verbose: Trace.Verbose }[settings.trace()]);
    const params = { settings: { [settings.SECTION]: settings.forServer() } };
    await this.client.sendNotification("workspace/didChangeConfiguration", params);
  }
}

/** A failure of the protocol as one of ours. */
function translated(error: unknown, token?: vscode.CancellationToken): unknown {
  if (token?.isCancellationRequested) return new Cancelled();
  if (error instanceof ResponseError) {
    const code: number = error.code;
    if (code === LSPErrorCodes.RequestCancelled || code === LSPErrorCodes.ServerCancelled) return new Cancelled();
    return new Error(error.message);
  }
  return error;
}
