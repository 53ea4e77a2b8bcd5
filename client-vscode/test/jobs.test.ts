import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, JobsView } from "../src/jobs";
import type { Job } from "../src/protocol";

const job = (changes: Partial<Job>): Job => ({
  id: "1", kind: "translate", title: "add.cu to HIP", uri: "file:///w/add.cu", to: "hip", state: "running",
  message: "", percentage: null, events: [], startedAt: 1, seconds: null, ...changes,
});

function item(): { text: string; visible: boolean; show(): void; hide(): void } {
  return {
    text: "",
    visible: false,
    show() {
      this.visible = true;
    },
    hide() {
      this.visible = false;
    },
  };
}

test("the newest job comes first, and only what runs is in the status bar", () => {
  const bar = item();
  const view = new JobsView(bar as never);
  view.set([job({ id: "1", state: "done", startedAt: 1 }), job({ id: "2", startedAt: 2 })]);
  assert.deepEqual(view.all().map(({ id }) => id), ["2", "1"]);
  assert.equal(bar.visible, true);
  assert.equal(bar.text, "$(sync~spin) add.cu to HIP");
  view.set([job({ id: "2", state: "cancelled" })]);
  assert.equal(bar.visible, false);
});

test("a job offers what can be done with it", () => {
  const view = new JobsView(item() as never);
  const context = (state: Job["state"]): string | undefined => view.getTreeItem(job({ state })).contextValue;
  assert.deepEqual((["queued", "running", "done", "failed", "cancelled"] as const).map(context), [
    "job.active", "job.active", "job.result", "job.failed", "job.cancelled",
  ]);
});

test("a search can rest, and is then not at work", () => {
  const bar = item();
  const view = new JobsView(bar as never);
  const tune = (state: Job["state"]): Job => job({ kind: "tune", state });
  const states = ["queued", "running", "paused", "done", "failed", "cancelled"] as const;
  assert.deepEqual(states.map((state) => view.getTreeItem(tune(state)).contextValue), [
    "tune.running", "tune.running", "tune.paused", "tune.done", "tune.failed", "tune.cancelled",
  ]);
  view.set([tune("paused")]);
  assert.deepEqual([bar.visible, view.active().length], [false, 1]);
});

test("what happened to a model's sketches stands below the job", () => {
  const view = new JobsView(item() as never);
  const events = [{ step: "loop_recovery", what: "failed", detail: "executed: differs at y[3]" }];
  const [inner] = view.getChildren(job({ events }));
  assert.ok(inner);
  const shown = view.getTreeItem(inner);
  assert.deepEqual([shown.label, shown.description], ["loop recovery: failed", "executed: differs at y[3]"]);
  assert.deepEqual(view.getChildren(inner), []);
});

test("a job in words", () => {
  assert.equal(describe(job({ percentage: 40, message: "compiling" })), "running 40 % · compiling");
  assert.equal(describe(job({ state: "failed", seconds: 2, message: "the worker crashed" })), "failed, 2.0 s · the worker crashed");
});
