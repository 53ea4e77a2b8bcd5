/** The messages beyond the Language Server Protocol, as `server/xpiler_server/protocol.py` has them. */

export type Platform = "cuda" | "hip" | "bang" | "vnni";
export type ProofState = "none" | "pending" | "proved" | "tested" | "failed";
export type CheckState = "none" | "pending" | "clean" | "bugs" | "undecided" | "refused";

export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

/** One check that was made: a rung of the ladder, and what came out of it. */
export interface Evidence {
  rung: string;
  ok: boolean;
  tool: string;
  detail: string;
  seconds: number;
}

/** A function that can be called from outside, and how far its translation got. */
export interface Entry {
  name: string;
  kind: string;
  status: string;
  detail: string;
}

/** A message of the engine; lines and columns count from 1. */
export interface EngineDiagnostic {
  file: string | null;
  line: number | null;
  column: number | null;
  code: string;
  severity: string;
  message: string;
  remedy?: string;
}

/** A value of the contract that could not be inferred. */
export interface Missing {
  name: string;
  kind: string;
  message: string;
  flag: string;
}

/** Places of source and target that stand for each other. */
export interface Link {
  source: Range;
  target: Range;
}

export interface TextOf {
  uri: string;
  text?: string;
}

export interface TranslateParams {
  uri: string;
  to: Platform;
  text?: string;
  entry?: string;
  arguments?: Record<string, string>;
}

export interface VerifyParams {
  source: TextOf;
  target: TextOf;
  to?: Platform;
}

/** What happened to a pass on the way, where a language model sketched it. */
export interface ModelEvent {
  step: string;
  what: string;
  detail: string;
}

/** `sourceText` is what it is about; `current`: its headers, stated values and the engine are as they were then. */
export interface JobResult {
  jobId: string;
  source: string;
  version: number | null;
  to: Platform;
  fileName: string;
  sourceText: string;
  current: boolean;
  text: string | null;
  status: "verified" | "unverified" | "refused";
  evidence: Evidence[];
  entries: Entry[];
  diagnostics: EngineDiagnostic[];
  missing: Missing[];
  links: Link[];
  events: ModelEvent[];
  seconds: number;
}

export interface CheckResult {
  status: "clean" | "bugs" | "undecided" | "refused";
  findings: number;
}

export interface RepairResult {
  jobId: string;
  status: "repaired" | "nothing wrong" | "not repaired";
  text: string | null;
  localized: { range: Range; message: string } | null;
  evidence: Evidence[];
  message: string;
}

export interface Place {
  uri: string;
  range: Range;
}

export interface Job {
  id: string;
  kind: "translate" | "verify" | "check" | "repair" | "tune";
  title: string;
  uri: string;
  to: Platform | null;
  state: "queued" | "running" | "paused" | "done" | "failed" | "cancelled";
  message: string;
  percentage: number | null;
  events: ModelEvent[];
  startedAt: number;
  seconds: number | null;
}

/** One program that a search tried; `seconds` is null where it does not hold, and `why` says why. */
export interface Trial {
  number: number;
  knobs: Record<string, number>;
  seconds: number | null;
  why: string;
  known: boolean;
  best: boolean;
}

/** The course of a search. `limit`: seconds that the device could not be faster than, where that is known; `estimated`: all times are a model's. */
export interface Tuning {
  jobId: string;
  source: string;
  to: Platform;
  title: string;
  state: Job["state"];
  message: string;
  device: string;
  size: number;
  limit: number | null;
  estimated: boolean;
  spent: number;
  budget: number;
  trials: Trial[];
  hasResult: boolean;
}

export interface TuneParams {
  uri: string;
  to: Platform;
  arguments?: Record<string, string>;
}

/** What programs can be measured on, and of which platforms. */
export interface Device {
  kind: string;
  name: string;
  runs: Platform[];
}

export interface TargetStatus {
  to: Platform;
  state: ProofState;
  stale: boolean;
  message: string;
}

export interface KernelStatus {
  name: string;
  range: Range;
  selectionRange: Range;
  checked: { state: CheckState; stale: boolean; message: string };
  targets: TargetStatus[];
}

/** What is known of the kernels of a document at one of its versions. */
export interface Status {
  uri: string;
  version: number | null;
  kernels: KernelStatus[];
}

/** A request with the types of its parameters and result. */
export class Request<P, R> {
  declare private readonly types: [P, R];
  constructor(readonly method: string) {}
}

/** A notification of the server with the type of its parameters. */
export class Notification<P> {
  declare private readonly types: [P];
  constructor(readonly method: string) {}
}

export const translate = new Request<TranslateParams, JobResult>("xpiler/translate");
export const verify = new Request<VerifyParams, JobResult>("xpiler/verify");
export const check = new Request<{ uri: string }, CheckResult>("xpiler/check");
export const repair = new Request<{ source: TextOf; target: TextOf }, RepairResult>("xpiler/repair");
export const counterpart = new Request<{ uri: string; position: Position }, Place | null>("xpiler/counterpart");
export const evidence = new Request<{ uri: string; to: Platform }, JobResult | null>("xpiler/evidence");
export const setArguments = new Request<{ uri: string; arguments: Record<string, string> }, { sidecar: string }>(
  "xpiler/setArguments",
);
export const jobs = new Request<Record<string, never>, { jobs: Job[] }>("xpiler/jobs");
export const cancelJob = new Request<{ id: string }, { cancelled: boolean }>("xpiler/cancelJob");
export const retryJob = new Request<{ id: string }, { id: string }>("xpiler/retryJob");
export const result = new Request<{ id: string }, JobResult>("xpiler/result");
export const tune = new Request<TuneParams, { id: string }>("xpiler/tune");
export const devices = new Request<Record<string, never>, { devices: Device[] }>("xpiler/devices");
export const pauseJob = new Request<{ id: string }, { done: boolean }>("xpiler/pauseJob");
export const resumeJob = new Request<{ id: string }, { done: boolean }>("xpiler/resumeJob");
export const course = new Request<{ id: string }, Tuning>("xpiler/course");
export const models = new Request<{ baseUrl?: string }, { baseUrl: string; models: string[]; error: string }>("xpiler/models");
export const tryModel = new Request<{ name?: string; baseUrl?: string }, { ok: boolean; message: string }>("xpiler/tryModel");
export const pair = new Request<{ source: string; target: string | null }, unknown>("xpiler/pair");
export const collectDiagnostics = new Request<Record<string, never>, { text: string }>("xpiler/collectDiagnostics");

export const statusChanged = new Notification<Status>("xpiler/status");
export const tuningChanged = new Notification<Tuning>("xpiler/tuning");
export const jobsChanged = new Notification<{ jobs: Job[] }>("xpiler/jobs");
