import assert from "node:assert/strict";
import { test } from "node:test";
import type { Trial, Tuning } from "../src/protocol";
import { sizesIn } from "../src/tuning";
import { time, tuningContent, tuningPage } from "../src/tuningPage";

const trial = (number: number, seconds: number | null, changes: Partial<Trial> = {}): Trial => ({
  number, knobs: { rows: number }, seconds, why: "", known: false, best: false, ...changes,
});

const tuning = (changes: Partial<Tuning> = {}): Tuning => ({
  jobId: "t", source: "file:///w/gemm.cu", to: "vnni", title: "Tune gemm.cu for C++", state: "running", message: "measuring rows=3",
  device: "cpu: X", size: 64, limit: null, estimated: false, spent: 61, budget: 300, hasResult: true,
  trials: [trial(1, 2e-3), trial(2, null), trial(3, 1e-3, { best: true })], ...changes,
});

const actions = (content: string): string[] => [...content.matchAll(/data-action="(\w+)"/g)].map(([, name]) => name ?? "");

test("the line falls where a program is faster, and stays where none is", () => {
  const content = tuningContent(tuning());
  const [, points] = /<polyline points="([^"]+)"/.exec(content) ?? [];
  const heights = points?.split(" ").map((point) => Number(point.split(",")[1])) ?? [];
  assert.equal(heights.length, 3);
  assert.ok(heights[0] === heights[1] && Number(heights[2]) > Number(heights[1]));
  assert.equal(content.match(/<circle/g)?.length, 2);
  assert.match(content, /best 1 ms, 2\.00 times as fast as at first · 3 of 64 programs · 1:01 min of 5:00 min · cpu: X/);
});

test("what a model estimates is never shown as measured", () => {
  assert.doesNotMatch(tuningContent(tuning()), /estimated/i);
  const content = tuningContent(tuning({ estimated: true }));
  assert.match(content, /estimated best/);
  assert.match(content, /<th scope="col">estimated time/);
  assert.match(content, />estimated<\/text>/);
});

test("the limit of the device is drawn where it is known, and only there", () => {
  assert.doesNotMatch(tuningContent(tuning()), /class="limit"|limit/);
  const content = tuningContent(tuning({ limit: 5e-4 }));
  assert.match(content, /<line class="limit"/);
  assert.match(content, /50 % of the device/);
});

test("a search offers what can be done with it", () => {
  assert.deepEqual(actions(tuningContent(tuning())), ["pause", "cancel", "apply"]);
  assert.deepEqual(actions(tuningContent(tuning({ state: "paused" }))), ["resume", "cancel", "apply"]);
  assert.deepEqual(actions(tuningContent(tuning({ state: "failed", hasResult: false }))), ["retry"]);
  assert.deepEqual(actions(tuningContent(tuning({ state: "done" }))), ["apply"]);
});

test("the best candidates come first, each time once, and only what is verified says so", () => {
  const trials = [trial(1, 2e-6), trial(2, 1e-6), trial(3, 1e-6), trial(4, 3e-6, { best: true })];
  const rows = [...tuningContent(tuning({ trials })).matchAll(/<tr><td class="number">([^<]+)<\/td><td>([^<]*)/g)].map(([, when, word]) => `${when ?? ""} ${word ?? ""}`);
  assert.deepEqual(rows, ["1 µs ", "2 µs ", "3 µs verified"]);
});

test("names of kernels and devices are text, not markup; the page runs its own script alone", () => {
  assert.doesNotMatch(tuningContent(tuning({ title: "<img src=x>", device: "<b>" })), /<img|<b>/);
  assert.match(tuningPage("abc"), /default-src 'none'; style-src 'nonce-abc'; script-src 'nonce-abc'/);
});

test("times in the unit that fits, sizes as they are written", () => {
  assert.deepEqual([1.234567, 0.0123, 4.5e-5, 7e-9].map(time), ["1.23 s", "12.3 ms", "45 µs", "7 ns"]);
  assert.deepEqual(sizesIn("M=512, N=64 a=-2.5"), { M: "512", N: "64", a: "-2.5" });
  assert.deepEqual(sizesIn(" "), {});
  assert.equal(sizesIn("512"), undefined);
});
