import assert from "node:assert/strict";
import { test } from "node:test";
import { verdict, whyUnverified } from "../src/verdict";
import { resultOf } from "./fake/connection";

test("what was checked, as it was checked, is verified", () => {
  assert.deepEqual(verdict(resultOf(), "cuda\n", "hip\n"), {
    state: "verified",
    words: "Verified: parsed, compiled, executed",
  });
});

test("an edit of the target ends that, and taking it back restores it", () => {
  assert.equal(verdict(resultOf(), "cuda\n", "hip \n").state, "edited");
  assert.equal(verdict(resultOf(), "cuda\n", "hip\n").state, "verified");
});

test("an edit of the source makes it stale", () => {
  assert.equal(verdict(resultOf(), "cuda!\n", "hip\n").state, "stale");
});

test("nothing is called verified whose source is closed, or whose headers or stated values have changed", () => {
  assert.equal(verdict(resultOf(), undefined, "hip\n").state, "unknown");
  assert.equal(verdict(resultOf({ current: false }), "cuda\n", "hip\n").state, "stale");
});

test("the reason is the first check that failed, else the entry, else the message, else what was not done", () => {
  const failed = { rung: "executed", ok: false, tool: "emulator", detail: "C[3] is 4, not 5", seconds: 0 };
  const result = resultOf({ status: "unverified", evidence: [...resultOf().evidence, failed] });
  assert.equal(whyUnverified(result), "executed: C[3] is 4, not 5");
  assert.equal(verdict(result, "cuda\n", "hip\n").words, "Not verified: executed: C[3] is 4, not 5");
  const entry = { name: "add", kind: "kernel", status: "refused", detail: "inline PTX" };
  assert.equal(whyUnverified({ evidence: [], entries: [entry], diagnostics: [] }), "add: inline PTX");
  const message = { file: null, line: null, column: null, code: "x", severity: "error", message: "no", remedy: "do" };
  assert.equal(whyUnverified({ evidence: [], entries: [], diagnostics: [message] }), "no; do");
  assert.equal(whyUnverified({ evidence: [], entries: [], diagnostics: [] }), "not parsed, not compiled, not executed");
});
