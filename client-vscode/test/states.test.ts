import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelStatus, ProofState, Status } from "../src/protocol";
import { markOf, sentences, States } from "../src/states";
import { Document, Uri } from "./fake/vscode";

const place = { start: { line: 0, character: 0 }, end: { line: 0, character: 1 } };

function kernel(states: ProofState[], stale = false, checked: KernelStatus["checked"]["state"] = "clean"): KernelStatus {
  const platforms = ["hip", "bang", "vnni"] as const;
  return {
    name: "add",
    range: place,
    selectionRange: place,
    checked: { state: checked, stale: false, message: "" },
    targets: states.map((state, i) => ({ to: platforms[i] ?? "hip", state, stale, message: "" })),
  };
}

const status = (version: number, ...kernels: KernelStatus[]): Status => ({ uri: "file:///w/add.cu", version, kernels });

test("the mark of a kernel is the worst of what was asked for", () => {
  assert.deepEqual(markOf(kernel(["proved", "none"])), { mark: "proved", stale: false });
  assert.deepEqual(markOf(kernel(["proved", "tested"])), { mark: "tested", stale: false });
  assert.deepEqual(markOf(kernel(["proved", "pending"])), { mark: "pending", stale: false });
  assert.deepEqual(markOf(kernel(["proved", "failed"])), { mark: "failed", stale: false });
  assert.deepEqual(markOf(kernel(["none", "none"])), { mark: "none", stale: false });
});

test("a kernel without a translation is never marked as good, however clean", () => {
  assert.equal(markOf(kernel([])).mark, "none");
  assert.equal(markOf(kernel(["proved"], false, "bugs")).mark, "failed");
});

test("an edit makes everything stale at once, before the server has said a word", () => {
  const states = new States();
  const document = new Document(Uri.parse("file:///w/add.cu"), "x");
  const seen: unknown[] = [];
  states.onDidChange((uri) => seen.push(uri));
  states.set(status(1, kernel(["proved"])));
  assert.deepEqual(states.of(document as never).map(markOf), [{ mark: "proved", stale: false }]);
  document.set("xy");
  assert.deepEqual(states.of(document as never).map(markOf), [{ mark: "proved", stale: true }]);
  states.set(status(2, kernel(["pending"])));
  assert.deepEqual(states.of(document as never).map(markOf), [{ mark: "pending", stale: false }]);
  states.set(status(1, kernel(["proved"]))); // a late word about the version before
  assert.deepEqual(states.of(document as never).map(markOf), [{ mark: "pending", stale: false }]);
  states.clear(); // the server has gone
  assert.deepEqual(states.of(document as never), []);
  assert.deepEqual(seen, ["file:///w/add.cu", "file:///w/add.cu", undefined]);
});

test("the states in words say what is not known, too", () => {
  const shown = kernel(["tested", "none"], true);
  assert.deepEqual(sentences(shown), [
    "add no bugs found",
    "HIP: tested, not proved (before the last edit)",
    "BANG C: not translated (before the last edit)",
  ]);
});
