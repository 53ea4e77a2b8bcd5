/** Finds the Python that runs the server: the setting, the Python extensions, then `python3`. */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";
import * as settings from "./settings";

export const OLDEST: readonly [number, number] = [3, 11];
const PROBE = "import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)";
const PROBE_MS = 15_000;

/** How the server is started. */
export interface Launch {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** In words, for the log and for reports. */
  found: string;
}

/** Why no interpreter was good enough, candidate by candidate. */
export class NoPython extends Error {
  constructor(readonly tried: readonly string[]) {
    super(`No Python ${OLDEST.join(".")} or newer can run the server. Tried: ${tried.join("; ")}.`);
  }
}

interface Candidate {
  path: string;
  from: string;
}

/** The first candidate that runs, is new enough, and has the libraries. Raises NoPython. */
export async function findLaunch(
  root: string,
  cache: string,
  environment: Readonly<NodeJS.ProcessEnv>,
): Promise<Launch> {
  const tried: string[] = [];
  for (const { path, from } of await candidates()) {
    const version = await probe(path);
    if (typeof version === "string") {
      tried.push(`${path} (${from}): ${version}`);
      continue;
    }
    const places = settings.libraries() === "bundled" ? bundled(root, version) : [];
    if (places === undefined) {
      tried.push(`${path} (${from}): no libraries for Python ${version.join(".")} in ${join(root, "bundled")}`);
      continue;
    }
    return {
      command: path,
      // -P: nothing in the working folder stands in for a module of the server.
      args: ["-P", "-m", "xpiler_server.main"],
      env: launchEnvironment(environment, places, cache),
      cwd: root,
      found: `${path} (${from}), Python ${version.join(".")}, libraries: ${settings.libraries()}`,
    };
  }
  throw new NoPython(tried);
}

/** The folders with the server and its libraries for a version of Python; undefined if there are none for it. */
export function bundled(root: string, version: readonly [number, number]): string[] | undefined {
  const native = join(root, "bundled", `cp${version.join("")}`);
  return existsSync(native) ? [join(root, "bundled", "libs"), native] : undefined;
}

function launchEnvironment(
  environment: Readonly<NodeJS.ProcessEnv>,
  places: readonly string[],
  cache: string,
): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...environment, PYTHONUNBUFFERED: "1", PYTHONUTF8: "1", PYTHONSAFEPATH: "1" };
  delete env.PYTHONHOME;
  if (places.length > 0) {
    env.PYTHONPATH = places.join(process.platform === "win32" ? ";" : ":");
    env.PYTHONNOUSERSITE = "1";
    env.PYTHONPYCACHEPREFIX = cache; // the extension's own folder is not written to
  }
  return env;
}

async function candidates(): Promise<Candidate[]> {
  const stated = settings.python();
  if (stated) return [{ path: stated, from: "the setting xpiler.server.python" }];
  // The interpreter of an untrusted folder could be a program of that folder.
  const selected = vscode.workspace.isTrusted ? [await fromEnvironments(), await fromPythonExtension()] : [];
  return [
    ...selected.filter((one) => one !== undefined),
    { path: "python3", from: "the search path" },
    { path: "python", from: "the search path" },
  ];
}

async function fromEnvironments(): Promise<Candidate | undefined> {
  interface Api {
    getEnvironment(scope?: vscode.Uri): Promise<{ execInfo?: { run?: { executable?: string } } } | undefined>;
  }
  const api = await exportsOf<Partial<Api>>("ms-python.vscode-python-envs");
  const found = await api?.getEnvironment?.(vscode.workspace.workspaceFolders?.[0]?.uri);
  const path = found?.execInfo?.run?.executable;
  return path ? { path, from: "the Python Environments extension" } : undefined;
}

async function fromPythonExtension(): Promise<Candidate | undefined> {
  interface Api {
    environments?: {
      getActiveEnvironmentPath(scope?: vscode.Uri): { path: string };
      resolveEnvironment(path: { path: string }): Promise<{ executable?: { uri?: vscode.Uri } } | undefined>;
    };
  }
  const environments = (await exportsOf<Api>("ms-python.python"))?.environments;
  const active = environments?.getActiveEnvironmentPath(vscode.workspace.workspaceFolders?.[0]?.uri);
  const resolved = active && (await environments?.resolveEnvironment(active));
  const path = resolved?.executable?.uri?.fsPath;
  return path ? { path, from: "the Python extension" } : undefined;
}

async function exportsOf<T>(id: string): Promise<T | undefined> {
  const extension = vscode.extensions.getExtension<T>(id);
  try {
    return await extension?.activate();
  } catch {
    return undefined; // An extension of somebody else that fails has no interpreter to offer.
  }
}

/** The version of an interpreter, or why it is of no use. */
export function probe(path: string): Promise<[number, number] | string> {
  return new Promise((resolve) => {
    execFile(path, ["-I", "-c", PROBE], { timeout: PROBE_MS }, (error, output) => {
      if (error) {
        resolve(error.code === "ENOENT" ? "not found" : (error.message.split("\n")[0] ?? "does not run"));
        return;
      }
      const [major, minor] = output.split(" ").map(Number);
      if (major === undefined || minor === undefined || Number.isNaN(major + minor)) {
        resolve("does not answer as a Python does");
      } else if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
        resolve(`is Python ${major}.${minor}, older than ${OLDEST.join(".")}`);
      } else {
        resolve([major, minor]);
      }
    });
  });
}
