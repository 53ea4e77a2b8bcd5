import assert from "node:assert/strict";
import { test } from "node:test";
import { platformOf } from "../src/platforms";
import { target } from "../src/translate";
import { Uri } from "./fake/vscode";

test("the extension decides before the language, and unsaved files have only that", () => {
  assert.equal(platformOf("/w/a.mlu", "conf"), "bang");
  assert.equal(platformOf("/w/a.CU"), "cuda");
  assert.equal(platformOf("Untitled-1", "hip"), "hip");
  assert.equal(platformOf("/w/folder.cu/README"), undefined);
});

test("commands take what lenses of the server send, and what menus do", () => {
  const uri = Uri.parse("file:///w/a.cu");
  assert.equal(target({ uri: "file:///w/a.cu", to: "hip" }).uri?.toString(), "file:///w/a.cu");
  assert.equal(target({ uri: "file:///w/a.cu", to: "hip" }).to, "hip");
  assert.deepEqual(target(uri, "bang"), { uri, to: "bang" });
  assert.deepEqual(target(undefined, ["not", "a", "platform"]), {});
});
