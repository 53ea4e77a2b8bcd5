/** The one truth about proofs: what the server last said of each document, and since when it is out of date. */

import * as vscode from "vscode";
import { TITLES } from "./platforms";
import type { CheckState, KernelStatus, ProofState, Status } from "./protocol";

export type Mark = "proved" | "tested" | "failed" | "pending" | "none";

/** The states of the kernels of all documents; empty while there is no server. */
export class States {
  private readonly known = new Map<string, Status>();
  private readonly changed = new vscode.EventEmitter<string | undefined>();
  /** Fires with a document's URI, or with undefined when all were forgotten. */
  readonly onDidChange = this.changed.event;

  /** Takes a status, unless a newer one is known. */
  set(status: Status): void {
    const uri = vscode.Uri.parse(status.uri).toString();
    const known = this.known.get(uri);
    if (known && status.version !== null && known.version !== null && status.version < known.version) return;
    this.known.set(uri, status);
    this.changed.fire(uri);
  }

  clear(): void {
    this.known.clear();
    this.changed.fire(undefined);
  }

  forget(uri: vscode.Uri): void {
    if (this.known.delete(uri.toString())) this.changed.fire(uri.toString());
  }

  uris(): string[] {
    return [...this.known.keys()];
  }

  /** The kernels of a document, all stale if it was edited since. */
  of(document: Pick<vscode.TextDocument, "uri" | "version">): KernelStatus[] {
    const status = this.known.get(document.uri.toString());
    if (status === undefined) return [];
    return status.version !== null && document.version > status.version ? status.kernels.map(staled) : status.kernels;
  }
}

/** One mark for a kernel: the worst of what was asked for; nothing that is stale counts as shown. */
export function markOf(kernel: KernelStatus): { mark: Mark; stale: boolean } {
  const targets = kernel.targets.filter(({ state }) => state !== "none");
  const states: Mark[] = targets.map(({ state }) => state);
  if (kernel.checked.state === "bugs" || kernel.checked.state === "refused") states.push("failed");
  else if (kernel.checked.state === "pending") states.push("pending");
  const mark = (["failed", "pending", "tested", "proved"] as const).find((one) => states.includes(one)) ?? "none";
  if (mark === "pending") return { mark, stale: false }; // what is being found out is of the text as it is
  const stale = targets.some((target) => target.stale) || (kernel.checked.stale && kernel.checked.state !== "none");
  return { mark, stale };
}

const PROOF_WORDS: Readonly<Record<ProofState, string>> = {
  none: "not translated",
  pending: "being checked",
  proved: "proved",
  tested: "tested, not proved",
  failed: "failed",
};

const CHECK_WORDS: Readonly<Record<CheckState, string>> = {
  none: "not checked for bugs",
  pending: "being checked for bugs",
  clean: "no bugs found",
  bugs: "has bugs",
  undecided: "not decided whether it has bugs",
  refused: "cannot be read",
};

/** All that is known of a kernel, a line each. */
export function sentences(kernel: KernelStatus): string[] {
  const line = (words: string, stale: boolean, message: string): string =>
    `${words}${stale ? " (before the last edit)" : ""}${message ? `: ${message}` : ""}`;
  return [
    line(`${kernel.name} ${CHECK_WORDS[kernel.checked.state]}`, kernel.checked.stale, kernel.checked.message),
    ...kernel.targets.map(({ to, state, stale, message }) => line(`${TITLES[to]}: ${PROOF_WORDS[state]}`, stale, message)),
  ];
}

function staled(kernel: KernelStatus): KernelStatus {
  return {
    ...kernel,
    checked: { ...kernel.checked, stale: kernel.checked.state !== "none" },
    targets: kernel.targets.map((target) => ({ ...target, stale: target.state !== "none" })),
  };
}
