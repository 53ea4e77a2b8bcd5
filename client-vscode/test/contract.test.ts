import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { askFor, problem } from "../src/contract";
import type { Missing } from "../src/protocol";
import { FakeConnection, fakeContext } from "./fake/connection";
import { record } from "./fake/vscode";

const grid: Missing = { name: "grid", kind: "grid", message: "the grid of add", flag: "--grid" };
const n: Missing = { name: "n", kind: "argument", message: "a value of n", flag: "--arg n=" };

beforeEach(() => {
  record.reset();
});

test("each value is asked for by name, and all are stored together", async () => {
  const connection = new FakeConnection();
  connection.answers.set("xpiler/setArguments", { sidecar: "file:///w/add.xpiler.toml" });
  record.answers = ["16", " 1000 "];
  assert.equal(await askFor(fakeContext(connection), "file:///w/add.cu", [grid, n]), true);
  assert.deepEqual(connection.sent, [
    ["xpiler/setArguments", { uri: "file:///w/add.cu", arguments: { grid: "16", n: "1000" } }],
  ]);
  assert.equal((record.asked[0] as { prompt: string }).prompt, "the grid of add");
});

test("who leaves a question stores nothing", async () => {
  const connection = new FakeConnection();
  record.answers = ["16", undefined];
  assert.equal(await askFor(fakeContext(connection), "file:///w/add.cu", [grid, n]), false);
  assert.deepEqual(connection.sent, []);
});

test("an empty answer is none", () => {
  assert.equal(problem(n, "  "), "n needs a value.");
  assert.equal(problem(n, "100, 257"), undefined);
});
