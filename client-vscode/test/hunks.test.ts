import assert from "node:assert/strict";
import { test } from "node:test";
import { hunkAt, hunks } from "../src/hunks";

const lines = (text: string): string[] => text.split("");

test("equal texts have no difference", () => {
  assert.deepEqual(hunks(lines("abc"), lines("abc")), []);
});

test("a change, an insertion and a removal are three differences in order", () => {
  assert.deepEqual(hunks(lines("abcdefg"), lines("aXcdYeg")), [
    { original: [1, 2], modified: [1, 2] },
    { original: [4, 4], modified: [4, 5] },
    { original: [5, 6], modified: [6, 6] },
  ]);
});

test("taking back every difference gives the original", () => {
  const original = lines("the quick brown fox jumps over the lazy dog");
  const modified = lines("a quick red fox jumped over that dog, twice");
  for (const { original: from, modified: to } of hunks(original, modified).reverse()) {
    modified.splice(to[0], to[1] - to[0], ...original.slice(...from));
  }
  assert.equal(modified.join(""), original.join(""));
});

test("the difference at a line is the one there, else the next below", () => {
  const all = hunks(lines("abcdefg"), lines("aXcdYeg"));
  assert.equal(hunkAt(all, 0), all[0]);
  assert.equal(hunkAt(all, 1), all[0]);
  assert.equal(hunkAt(all, 2), all[1]);
  assert.equal(hunkAt(all, 6), all[2]);
  assert.equal(hunkAt(all, 7), undefined);
});

test("texts too long to compare are one difference", () => {
  const original = Array.from({ length: 5000 }, (_, i) => `a${i}`);
  const modified = Array.from({ length: 5000 }, (_, i) => `b${i}`);
  assert.deepEqual(hunks(["same", ...original], ["same", ...modified]), [
    { original: [1, 5001], modified: [1, 5001] },
  ]);
});
