/** What may be said of a translation: nothing is called verified that was not checked as it stands. */

import type { JobResult } from "./protocol";

export interface Verdict {
  state: "verified" | "unverified" | "edited" | "stale" | "unknown";
  /** One sentence for people. */
  words: string;
}

/** The verdict on a translation whose source and target now have these texts; a source that is closed has none. */
export function verdict(result: JobResult, source: string | undefined, target: string): Verdict {
  if (target !== result.text) {
    return { state: "edited", words: "Edited: no longer verified. Verify it again before you rely on it." };
  }
  if (result.status !== "verified") {
    return { state: "unverified", words: `Not verified: ${whyUnverified(result)}` };
  }
  if (source === undefined) {
    return { state: "unknown", words: "Its source is not open: whether that is still the same is not known." };
  }
  if (source !== result.sourceText) {
    return { state: "stale", words: "The source has changed since: no longer verified." };
  }
  if (!result.current) {
    return { state: "stale", words: "A header, a stated value or Xpiler has changed since: verify it again." };
  }
  return { state: "verified", words: `Verified: ${passed(result).join(", ")}` };
}

/** The rungs that hold, in order, each once. */
export function passed(result: Pick<JobResult, "evidence">): string[] {
  const failed = new Set(result.evidence.filter(({ ok }) => !ok).map(({ rung }) => rung));
  return [...new Set(result.evidence.map(({ rung }) => rung))].filter((rung) => !failed.has(rung));
}

/** The first thing that stands in the way of a verification, in words. */
export function whyUnverified(result: Pick<JobResult, "evidence" | "entries" | "diagnostics">): string {
  const rung = result.evidence.find(({ ok }) => !ok);
  if (rung) return `${rung.rung}: ${rung.detail}`;
  const entry = result.entries.find(({ status }) => status !== "verified");
  if (entry?.detail) return `${entry.name}: ${entry.detail}`;
  const diagnostic = result.diagnostics.find(({ severity }) => severity === "error") ?? result.diagnostics[0];
  if (diagnostic) return remedied(diagnostic);
  const done = new Set(passed(result));
  const open = ["parsed", "compiled", "executed"].filter((name) => !done.has(name));
  return open.length > 0 ? `not ${open.join(", not ")}` : "nothing says that it is right";
}

/** A message with what to do about it. */
export function remedied(diagnostic: { message: string; remedy?: string }): string {
  return diagnostic.remedy ? `${diagnostic.message}; ${diagnostic.remedy}` : diagnostic.message;
}
