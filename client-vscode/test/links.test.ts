import assert from "node:assert/strict";
import { test } from "node:test";
import { afterEdit, partners } from "../src/links";
import type { Link, Range } from "../src/protocol";

const at = (line: number, from: number, to: number, end = line): Range => ({
  start: { line, character: from },
  end: { line: end, character: to },
});
const loop: Link = { source: at(2, 0, 1, 6), target: at(3, 0, 1, 9) };
const statement: Link = { source: at(4, 4, 20), target: at(5, 8, 30) };

test("a statement inside a loop is matched, not the loop around it", () => {
  assert.deepEqual(partners([loop, statement], "source", { line: 4, character: 10 }), [statement]);
  assert.deepEqual(partners([loop, statement], "source", { line: 3, character: 0 }), [loop]);
  assert.deepEqual(partners([loop, statement], "target", { line: 20, character: 0 }), []);
});

test("lines inserted above move a match down, on the edited side only", () => {
  const moved = afterEdit([statement], "target", { range: at(0, 0, 0), text: "// one\n// two\n" });
  assert.deepEqual(moved, [{ source: statement.source, target: at(7, 8, 30) }]);
});

test("text inserted before a match on its line moves its columns", () => {
  const [moved] = afterEdit([statement], "target", { range: at(5, 0, 2), text: "abcde" });
  assert.deepEqual(moved?.target, at(5, 11, 33));
});

test("an edit inside a match ends it, an edit behind it does not", () => {
  assert.deepEqual(afterEdit([statement], "target", { range: at(5, 10, 12), text: "x" }), []);
  assert.deepEqual(afterEdit([statement], "target", { range: at(5, 30, 30), text: " // done" }), [statement]);
  assert.deepEqual(afterEdit([statement], "target", { range: at(9, 0, 0), text: "\n" }), [statement]);
});
