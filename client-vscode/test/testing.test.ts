import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Cancelled } from "../src/context";
import { Pairs } from "../src/pairs";
import type { ProofState } from "../src/protocol";
import { States } from "../src/states";
import { KernelTests } from "../src/testing";
import { FakeConnection, fakeContext, resultOf } from "./fake/connection";
import { Document, record, TestController, TestRunRequest, Uri } from "./fake/vscode";

const uri = Uri.parse("file:///w/add.cu");
const place = { start: { line: 0, character: 0 }, end: { line: 0, character: 3 } };
let document: Document;
let connection: FakeConnection;
let states: States;
let pairs: Pairs;
let tests: KernelTests;

beforeEach(() => {
  record.reset();
  document = new Document(uri, "cuda\n");
  record.documents.push(document);
  connection = new FakeConnection();
  const context = fakeContext(connection);
  states = new States();
  pairs = new Pairs(context);
  tests = new KernelTests(context, states, pairs);
  states.onDidChange((changed) => {
    tests.draw(changed);
  });
});

function say(state: ProofState, stale = false, message = ""): void {
  const targets = [{ to: "hip" as const, state, stale, message }];
  const checked = { state: "clean" as const, stale: false, message: "" };
  const kernel = { name: "add", range: place, selectionRange: place, checked, targets };
  states.set({ uri: uri.toString(), version: document.version, kernels: [kernel] });
}

const told = (): string[] => TestController.last.told;
const run = (): Promise<void> => TestController.last.run(new TestRunRequest(), {});

test("the tree has the file, its kernel, and the kernel's platforms", () => {
  say("none");
  const file = TestController.last.items.get(uri.toString());
  const kernel = file?.children.get(`${uri.toString()}#add`);
  assert.equal(kernel?.label, "add");
  assert.equal(kernel.children.get(`${uri.toString()}#add#hip`)?.label, "HIP");
  assert.deepEqual(told(), []);
});

test("nothing is shown as passed before it is, nor after an edit", () => {
  for (const state of ["none", "pending", "tested", "tested", "proved"] as const) say(state);
  document.set("cuda!\n");
  tests.draw(uri.toString());
  say("pending");
  say("failed", false, "C[3] is 4, not 5");
  assert.deepEqual(told(), ["HIP passed", "HIP open", "HIP failed"]);
});

test("a run translates, and its outcome is not told a second time by the status", async () => {
  say("none");
  connection.answers.set("xpiler/translate", resultOf());
  await run();
  say("tested");
  assert.deepEqual(told(), ["HIP enqueued", "HIP started", "HIP passed"]);
  assert.deepEqual(connection.sent, [["xpiler/translate", { uri: uri.toString(), to: "hip" }]]);
});

test("where a translation was accepted, it is that file which is verified", async () => {
  say("none");
  await pairs.add(uri as never, Uri.parse("file:///w/add.hip") as never);
  connection.answers.set("xpiler/verify", resultOf({ status: "unverified", text: null }));
  await run();
  assert.deepEqual(told(), ["HIP enqueued", "HIP started", "HIP failed"]);
  assert.equal(connection.sent.at(-1)?.[0], "xpiler/verify");
});

test("a cancelled run is skipped, one that breaks is an error", async () => {
  say("none");
  connection.answers.set("xpiler/translate", [new Cancelled(), new Error("the worker crashed")]);
  await run();
  await run();
  assert.deepEqual(told(), ["HIP enqueued", "HIP started", "HIP skipped", "HIP enqueued", "HIP started", "HIP errored"]);
});

test("when the server goes, the tree goes", () => {
  say("tested");
  states.clear();
  assert.equal(TestController.last.items.get(uri.toString()), undefined);
});
