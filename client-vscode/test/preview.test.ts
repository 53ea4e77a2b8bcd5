import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { EvidencePanel } from "../src/evidence";
import { Pairs } from "../src/pairs";
import { type Preview, Previews } from "../src/preview";
import { FakeConnection, fakeContext, resultOf } from "./fake/connection";
import { Document, record, Uri } from "./fake/vscode";

const source = Uri.parse("file:///w/add.cu");
let connection: FakeConnection;
let previews: Previews;
let pairs: Pairs;

beforeEach(() => {
  record.reset();
  record.files.set(source.toString(), "cuda\n");
  record.documents.push(new Document(source, "cuda\n"));
  connection = new FakeConnection();
  const context = fakeContext(connection);
  pairs = new Pairs(context);
  previews = new Previews(context, pairs, { show: () => undefined } as unknown as EvidencePanel);
});

/** Opens a translation and its document, as the editor would. */
async function open(changes: Parameters<typeof resultOf>[0] = {}): Promise<{ preview: Preview; document: Document }> {
  const result = resultOf(changes);
  const preview = await previews.open(result);
  const document = new Document(preview.uri, result.text ?? "", "hip");
  record.documents.push(document);
  return { preview, document };
}

test("a translation opens as a diff against its source, in a document that can be written", async () => {
  const { preview } = await open();
  const [command, left, right, title] = record.executed[0] ?? [];
  assert.equal(command, "vscode.diff");
  assert.equal(String(left), "file:///w/add.cu");
  assert.equal(String(right), "xpiler-preview:/j1/add.hip");
  assert.equal(title, "add.cu ↔ add.hip (HIP)");
  assert.equal(new TextDecoder().decode(await previews.readFile(preview.uri)), "hip\n");
});

test("after one change was rejected it is no longer verified, until it was checked again", async () => {
  const { preview, document } = await open();
  const states = [previews.verdictOf(preview).state];
  document.set("cuda\n");
  states.push(previews.verdictOf(preview).state);
  connection.answers.set("xpiler/verify", resultOf({ jobId: "j2", text: null }));
  await previews.recheck(preview);
  states.push(previews.verdictOf(preview).state);
  document.set("hip\n");
  states.push(previews.verdictOf(preview).state);
  assert.deepEqual(states, ["verified", "edited", "verified", "edited"]);
  assert.deepEqual(connection.sent[0], [
    "xpiler/verify",
    {
      source: { uri: "file:///w/add.cu", text: "cuda\n" },
      target: { uri: "xpiler-preview:/j1/add.hip", text: "cuda\n" },
      to: "hip",
    },
  ]);
});

test("Accept writes the text as the user sees it, and pairs the file with its source", async () => {
  const { preview, document } = await open();
  document.set("edited\n");
  assert.equal(await previews.accept(preview), true);
  assert.equal(record.files.get("file:///w/add.hip"), "edited\n");
  assert.deepEqual(record.asked, []);
  assert.deepEqual(connection.sent.at(-1), ["xpiler/pair", { source: "file:///w/add.cu", target: "file:///w/add.hip" }]);
  assert.equal(pairs.sourceOf(Uri.parse("file:///w/add.hip") as never)?.toString(), "file:///w/add.cu");
  assert.equal(previews.get(preview.uri), undefined);
});

test("Accept asks before it replaces another text, and writes nothing when the answer is no", async () => {
  record.files.set("file:///w/add.hip", "by hand\n");
  const { preview } = await open();
  record.answers = [undefined];
  assert.equal(await previews.accept(preview), false);
  assert.equal(record.files.get("file:///w/add.hip"), "by hand\n");
  record.answers = ["Replace"];
  assert.equal(await previews.accept(preview), true);
  assert.equal(record.files.get("file:///w/add.hip"), "hip\n");
});

test("a translation that was not verified is accepted only on purpose", async () => {
  const { preview } = await open({ status: "unverified" });
  record.answers = [undefined];
  assert.equal(await previews.accept(preview), false);
  assert.equal(record.files.has("file:///w/add.hip"), false);
});

test("a reloaded window finds the result again: verified while its source is the text that it is about", async () => {
  connection.answers.set("xpiler/result", resultOf({ jobId: "old" }));
  const uri = Uri.parse("xpiler-preview:/old/add.hip");
  assert.equal(new TextDecoder().decode(await previews.readFile(uri as never)), "hip\n");
  const preview = previews.get(uri as never);
  assert.ok(preview);
  assert.equal(previews.verdictOf(preview).state, "verified");
  record.documents[0]?.set("cuda!\n");
  assert.equal(previews.verdictOf(preview).state, "stale");
});

test("a preview of a result that is not kept is no file", async () => {
  connection.answers.set("xpiler/result", new Error("gone"));
  await assert.rejects(previews.readFile(Uri.parse("xpiler-preview:/none/add.hip") as never), { code: "FileNotFound" });
});
