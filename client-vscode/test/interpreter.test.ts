import assert from "node:assert/strict";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync, chmodSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { findLaunch, NoPython, probe } from "../src/interpreter";
import { record, Uri } from "./fake/vscode";

let folder: string;
const path = process.env.PATH;

beforeEach(() => {
  record.reset();
  folder = mkdtempSync(join(tmpdir(), "xpiler-"));
  process.env.PATH = folder; // no Python but those that a test makes
});

afterEach(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true });
});

/** A program that answers as a Python of a version does. */
function python(name: string, version: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\necho '${version} ${file}'\n`);
  chmodSync(file, 0o755);
  return file;
}

test("the setting comes first, and nothing stands in for it", async () => {
  record.settings = { "xpiler.server.python": join(folder, "missing"), "xpiler.server.libraries": "environment" };
  python("python3", "3 11");
  await assert.rejects(findLaunch(folder, "", {}), /missing \(the setting xpiler\.server\.python\): not found/);
});

test("the interpreter of the Python extension comes before the one on the path", async () => {
  record.settings = { "xpiler.server.libraries": "environment" };
  const selected = python("selected", "3 12");
  python("python3", "3 11");
  record.extensions["ms-python.python"] = {
    activate: () =>
      Promise.resolve({
        environments: {
          getActiveEnvironmentPath: () => ({ path: selected }),
          resolveEnvironment: () => Promise.resolve({ executable: { uri: Uri.file(selected) } }),
        },
      }),
  };
  assert.equal((await findLaunch(folder, "", {})).command, selected);
  record.trusted = false; // it may lie in a folder that nobody trusts
  assert.equal((await findLaunch(folder, "", {})).command, "python3");
});

test("an old Python is passed over, with the reason", async () => {
  record.settings = { "xpiler.server.libraries": "environment" };
  python("python3", "3 9");
  const error: unknown = await findLaunch(folder, "", {}).catch((caught: unknown) => caught);
  assert.ok(error instanceof NoPython);
  assert.deepEqual(error.tried, [
    "python3 (the search path): is Python 3.9, older than 3.11",
    "python (the search path): not found",
  ]);
});

test("bundled libraries are those of the interpreter's version, and nothing else is looked at", async () => {
  python("python3", "3 11");
  mkdirSync(join(folder, "bundled", "cp311"), { recursive: true });
  const launch = await findLaunch(folder, "/cache", { PYTHONPATH: "/elsewhere", PYTHONHOME: "/gone", KEPT: "yes" });
  assert.deepEqual(launch.args, ["-P", "-m", "xpiler_server.main"]);
  assert.equal(launch.env.PYTHONPATH, [join(folder, "bundled", "libs"), join(folder, "bundled", "cp311")].join(delimiter));
  assert.equal(launch.env.PYTHONHOME, undefined);
  assert.equal(launch.env.PYTHONPYCACHEPREFIX, "/cache");
  assert.equal(launch.env.KEPT, "yes");
  python("python3", "3 14");
  await assert.rejects(findLaunch(folder, "", {}), /no libraries for Python 3\.14/);
});

test("a program that is no Python is told as such", async () => {
  assert.equal(await probe(python("odd", "hello")), "does not answer as a Python does");
});
