/** A server that answers as the test says, and a context around it. */

import { Context, type Connection } from "../../src/context";
import type { JobResult, Notification, Request } from "../../src/protocol";
import { EventEmitter } from "./vscode";

export class FakeConnection implements Connection {
  readonly sent: [method: string, params: unknown][] = [];
  readonly answers = new Map<string, unknown>();
  readonly running = new EventEmitter<boolean>();
  readonly handlers = new Map<string, (params: never) => void>();
  readonly onRunning = this.running.event as unknown as Connection["onRunning"];

  request<P, R>(request: Request<P, R>, params: P): Promise<R> {
    this.sent.push([request.method, params]);
    const prepared = this.answers.get(request.method);
    const found = Array.isArray(prepared) ? (prepared.shift() as unknown) : prepared;
    if (found instanceof Error) return Promise.reject(found);
    return Promise.resolve((found ?? {}) as R);
  }

  onNotification<P>(notification: Notification<P>, handler: (params: P) => void): ReturnType<Connection["onNotification"]> {
    this.handlers.set(notification.method, handler);
    return { dispose: () => undefined };
  }
}

export function fakeContext(connection: FakeConnection): Context {
  const kept = new Map<string, unknown>();
  const extension = {
    subscriptions: [],
    workspaceState: {
      get: (key: string, otherwise: unknown) => kept.get(key) ?? otherwise,
      update: (key: string, value: unknown) => {
        kept.set(key, value);
        return Promise.resolve();
      },
    },
  };
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined, show: () => undefined };
  return new Context(extension as never, quiet as never, connection);
}

/** A verified translation of `/w/add.cu` to HIP, but for what the test says. */
export function resultOf(changes: Partial<JobResult> = {}): JobResult {
  return {
    jobId: "j1",
    source: "file:///w/add.cu",
    version: 1,
    to: "hip",
    fileName: "add.hip",
    sourceText: "cuda\n",
    current: true,
    text: "hip\n",
    status: "verified",
    evidence: [
      { rung: "parsed", ok: true, tool: "tree-sitter", detail: "kernels: add", seconds: 0.01 },
      { rung: "compiled", ok: true, tool: "hipcc", detail: "for gfx90a", seconds: 1.5 },
      { rung: "executed", ok: true, tool: "emulator", detail: "4 runs", seconds: 0.2 },
    ],
    entries: [{ name: "add", kind: "host", status: "verified", detail: "" }],
    diagnostics: [],
    missing: [],
    links: [],
    events: [],
    seconds: 1.7,
    ...changes,
  };
}
