import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Cancelled } from "../src/context";
import type { EvidencePanel } from "../src/evidence";
import { Pairs } from "../src/pairs";
import { Previews } from "../src/preview";
import { Translator } from "../src/translate";
import { FakeConnection, fakeContext, resultOf } from "./fake/connection";
import { record, Uri } from "./fake/vscode";

const source = Uri.parse("file:///w/add.cu") as never;
let connection: FakeConnection;
let translator: Translator;
let previews: Previews;

beforeEach(() => {
  record.reset();
  record.files.set("file:///w/add.cu", "cuda\n");
  connection = new FakeConnection();
  const context = fakeContext(connection);
  const panel = { show: () => undefined } as unknown as EvidencePanel;
  previews = new Previews(context, new Pairs(context), panel);
  translator = new Translator(context, previews, panel);
});

test("what is missing is asked for, and the translation made again with the answer", async () => {
  const missing = [{ name: "n", kind: "argument", message: "a value of n", flag: "--arg n=" }];
  connection.answers.set("xpiler/translate", [resultOf({ text: null, status: "refused", missing }), resultOf()]);
  connection.answers.set("xpiler/setArguments", { sidecar: "file:///w/add.xpiler.toml" });
  record.answers = ["1000"];
  await translator.run([source], "hip");
  assert.deepEqual(connection.sent.map(([method]) => method), [
    "xpiler/translate", "xpiler/setArguments", "xpiler/translate",
  ]);
  assert.equal(record.executed[0]?.[0], "vscode.diff");
});

test("a refusal says why and shows no diff", async () => {
  const place = { file: "add.cu", line: 3, column: 5, code: "ptx", severity: "error", message: "inline PTX", remedy: "write it in CUDA" };
  connection.answers.set("xpiler/translate", resultOf({ text: null, status: "refused", evidence: [], entries: [], diagnostics: [place] }));
  await translator.run([source], "bang");
  assert.deepEqual(record.executed, []);
  assert.deepEqual(record.asked, [["HIP: inline PTX; write it in CUDA", "Go to Place", "Show Evidence"]]);
});

test("a cancelled translation says nothing", async () => {
  connection.answers.set("xpiler/translate", new Cancelled());
  await translator.run([source], "hip");
  assert.deepEqual([record.executed, record.asked], [[], []]);
});

/** Two files, of which the first is translated to something verified. */
function two(): [never, never] {
  record.files.set("file:///w/mul.cu", "cuda\n");
  connection.answers.set("xpiler/translate", [
    resultOf(),
    resultOf({ jobId: "j2", source: "file:///w/mul.cu", fileName: "mul.hip", status: "unverified" }),
  ]);
  return [source, Uri.parse("file:///w/mul.cu") as never];
}

test("several files come in one editor, with a word on how many are verified", async () => {
  await translator.run(two(), "hip");
  assert.equal(record.executed[0]?.[0], "vscode.changes");
  assert.deepEqual(record.asked, [["Xpiler: 2 of 2 files translated, 1 verified.", "Accept Verified", "Choose…"]]);
});

test("of several files those that are ticked are accepted, and the editor goes on with the others", async () => {
  record.answers = ["Choose…"];
  record.choose = (items) => items.filter(({ picked }) => picked);
  await translator.run(two(), "hip");
  assert.equal(record.files.get("file:///w/add.hip"), "hip\n");
  assert.equal(record.files.has("file:///w/mul.hip"), false);
  assert.deepEqual(record.executed.map(([command, left]) => [command, command === "vscode.diff" ? String(left) : ""]), [
    ["vscode.changes", ""], ["vscode.diff", "file:///w/mul.cu"],
  ]);
});

test("one of several files is discarded, and the others stay together", async () => {
  record.files.set("file:///w/sub.cu", "cuda\n");
  const uris = [...two(), Uri.parse("file:///w/sub.cu") as never];
  const third = resultOf({ jobId: "j3", source: "file:///w/sub.cu", fileName: "sub.hip" });
  (connection.answers.get("xpiler/translate") as unknown[]).push(third);
  await translator.run(uris, "hip");
  const [first] = previews.all();
  assert.ok(first);
  assert.equal(await previews.discard(first), true);
  assert.deepEqual(previews.all().map(({ result }) => result.fileName), ["mul.hip", "sub.hip"]);
  assert.deepEqual(record.executed.map(([command, title]) => [command, title]), [
    ["vscode.changes", "3 translations"], ["vscode.changes", "2 translations"],
  ]);
});

test("a file is not translated to what it is already", async () => {
  await assert.rejects(translator.run([source], "cuda"), /nothing here to translate to CUDA/);
});
