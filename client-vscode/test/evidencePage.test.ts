import assert from "node:assert/strict";
import { test } from "node:test";
import { evidencePage } from "../src/evidencePage";
import { resultOf } from "./fake/connection";

test("the page shows every rung of the ladder, also those that were not done", () => {
  const page = evidencePage(resultOf(), "N");
  assert.match(page, /✓ Verified/);
  assert.match(page, /<li class="good"><h3>executed <em>holds<\/em>/);
  assert.match(page, /<li class="open"><h3>proved <em>not done<\/em>/);
  assert.match(page, /aria-label="compiled, hipcc: 1\.50 seconds"/);
});

test("what a kernel's text brought along stays text", () => {
  const detail = `<script>alert("x")</script>`;
  const page = evidencePage(
    resultOf({ status: "unverified", evidence: [{ rung: "parsed", ok: false, tool: detail, detail, seconds: 0 }] }),
    "N",
  );
  assert.doesNotMatch(page, /<script/);
  assert.match(page, /&#60;script&#62;/);
  assert.match(page, /default-src 'none'; style-src 'nonce-N'/);
});

test("a translation that was edited since is not called verified on its page", () => {
  const page = evidencePage(resultOf(), "N", { state: "edited", words: "Edited: no longer verified." });
  assert.match(page, /✗ Not verified as it stands/);
  assert.match(page, /Edited: no longer verified\./);
  assert.doesNotMatch(page, /✓ Verified/);
});
