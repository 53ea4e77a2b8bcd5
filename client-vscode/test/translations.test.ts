import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { EvidencePanel } from "../src/evidence";
import { Pairs } from "../src/pairs";
import { Previews } from "../src/preview";
import { TranslationsView } from "../src/translations";
import { FakeConnection, fakeContext, resultOf } from "./fake/connection";
import { Document, record, Uri } from "./fake/vscode";

const source = Uri.parse("file:///w/add.cu");
let previews: Previews;
let pairs: Pairs;

beforeEach(() => {
  record.reset();
  record.documents.push(new Document(source, "cuda\n"));
  const context = fakeContext(new FakeConnection());
  pairs = new Pairs(context);
  previews = new Previews(context, pairs, { show: () => undefined } as unknown as EvidencePanel);
});

test("what was neither accepted nor discarded is listed with what may be said of it", async () => {
  const view = new TranslationsView(previews);
  const preview = await previews.open(resultOf());
  const [only] = view.getChildren();
  assert.equal(only, preview);
  const item = view.getTreeItem(preview);
  assert.deepEqual([item.label, item.description, item.contextValue], ["add.hip", "verified · HIP from add.cu", "translation"]);
  record.documents.push(new Document(preview.uri, "hip, edited\n", "hip"));
  assert.deepEqual([view.getTreeItem(preview).description, view.getTreeItem(preview).contextValue], ["edited · HIP from add.cu", "translation.open"]);
  await previews.discard(preview);
  assert.deepEqual(view.getChildren(), []);
});

test("the best program of a search is compared with the accepted translation, a better one takes its place", async () => {
  await pairs.add(source as never, Uri.parse("file:///w/fast.hip") as never);
  await previews.openTuned(resultOf({ jobId: "t" }));
  await previews.openTuned(resultOf({ jobId: "t", text: "faster\n" }));
  assert.deepEqual(record.executed.map(([command, left, , title]) => [command, String(left), title]), [
    ["vscode.diff", "file:///w/fast.hip", "fast.hip ↔ new add.hip"],
    ["vscode.diff", "file:///w/fast.hip", "fast.hip ↔ new add.hip"],
  ]);
  assert.deepEqual(previews.all().map(({ result }) => result.text), ["faster\n"]);
});
