/** The course of a search as a page: a chart of the best time over the trials, and the best candidates. */

import { escape } from "./evidencePage";
import type { Trial, Tuning } from "./protocol";

const WIDTH = 360;
const HEIGHT = 180;
const MARGIN = { left: 46, right: 10, top: 14, bottom: 22 };
const CANDIDATES = 5;
const UNITS = [[1, "s"], [1e3, "ms"], [1e6, "µs"]] as const;

/** The page that holds the content, which is replaced as the search goes on. */
export function tuningPage(nonce: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}';">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tuning</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<main id="content" aria-live="off"></main>
<script nonce="${nonce}">
const editor = acquireVsCodeApi();
const content = document.getElementById("content");
window.addEventListener("message", ({ data }) => {
  const focused = document.activeElement?.dataset?.action;
  content.innerHTML = data;
  if (focused) content.querySelector('[data-action="' + focused + '"]')?.focus();
});
content.addEventListener("click", ({ target }) => {
  if (target.dataset.action) editor.postMessage(target.dataset.action);
});
editor.postMessage("ready");
</script>
</body>
</html>`;
}

/** What the page shows of a search. */
export function tuningContent(tuning: Tuning | undefined): string {
  if (tuning === undefined) return `<p class="quiet">Nothing is being tuned.</p>`;
  const { title, state, message, device, size, spent, budget, trials } = tuning;
  const best = fastest(trials)[0];
  const first = trials.find(({ seconds }) => seconds !== null);
  const gain = best?.seconds && first?.seconds ? first.seconds / best.seconds : 1;
  const told = [
    best?.seconds ? `${tuning.estimated ? "estimated " : ""}best ${time(best.seconds)}, ${gain.toFixed(2)} times as fast as at first` : "no program was measured yet",
    tuning.limit !== null && best?.seconds ? `${((100 * tuning.limit) / best.seconds).toFixed(0)} % of the device's limit` : "",
    `${trials.length}${size > 0 ? ` of ${size}` : ""} programs`,
    `${clock(spent)} of ${clock(budget)}`,
    device,
  ].filter(Boolean);
  return `<h2>${escape(title)}</h2>
<p class="state" role="status">${escape(state === "running" ? message : state)}</p>
${buttons(tuning)}
${chart(tuning)}
<p class="quiet">${told.map(escape).join(" · ")}</p>
${candidates(tuning)}`;
}

function buttons({ state, hasResult }: Tuning): string {
  const button = (action: string, label: string): string => `<button data-action="${action}">${label}</button>`;
  const shown = [
    state === "running" || state === "queued" ? button("pause", "Pause") : "",
    state === "paused" ? button("resume", "Resume") : "",
    state === "running" || state === "queued" || state === "paused" ? button("cancel", "Cancel") : "",
    state === "failed" || state === "cancelled" ? button("retry", "Retry") : "",
    hasResult ? button("apply", "Compare Best…") : "",
  ];
  return `<p class="buttons">${shown.join("")}</p>`;
}

/** Dots are programs, the line is the best so far; time is from zero. The limit of the device is dashed. */
function chart({ trials, limit, estimated }: Tuning): string {
  const timed = trials.filter((trial): trial is Trial & { seconds: number } => trial.seconds !== null);
  if (timed.length === 0) return "";
  const times = timed.map(({ seconds }) => seconds);
  const most = Math.min(2.1 * median(times), 1.05 * Math.max(...times)); // one that is very slow does not flatten the rest
  const last = Math.max(2, trials.length);
  const x = (number: number): string => (MARGIN.left + ((number - 1) / (last - 1)) * (WIDTH - MARGIN.left - MARGIN.right)).toFixed(1);
  const y = (seconds: number): string =>
    (HEIGHT - MARGIN.bottom - (Math.min(seconds, most) / most) * (HEIGHT - MARGIN.top - MARGIN.bottom)).toFixed(1);
  let best = Infinity;
  const line: string[] = [];
  for (const { number, seconds } of timed) {
    if (seconds < best && line.length > 0) line.push(`${x(number)},${y(best)}`);
    best = Math.min(best, seconds);
    line.push(`${x(number)},${y(best)}`);
  }
  const dots = timed.map(({ number, seconds, known }) => `<circle class="${known ? "known" : "dot"}" cx="${x(number)}" cy="${y(seconds)}" r="2"/>`);
  const roof =
    limit === null ? "" : `<line class="limit" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(limit)}" y2="${y(limit)}"/><text class="limit" x="${WIDTH - MARGIN.right}" y="${Number(y(limit)) - 4}" text-anchor="end">limit ${time(limit)}</text>`;
  const words = `${estimated ? "Estimated best" : "Best"} time over ${trials.length} programs: ${time(best)}${limit === null ? "" : `; the limit is ${time(limit)}`}`;
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escape(words)}">
<line class="axis" x1="${MARGIN.left}" y1="${HEIGHT - MARGIN.bottom}" x2="${WIDTH - MARGIN.right}" y2="${HEIGHT - MARGIN.bottom}"/>
<line class="axis" x1="${MARGIN.left}" y1="${MARGIN.top}" x2="${MARGIN.left}" y2="${HEIGHT - MARGIN.bottom}"/>
<text x="${MARGIN.left - 4}" y="${MARGIN.top + 4}" text-anchor="end">${time(most)}</text>${estimated ? `<text x="${MARGIN.left + 6}" y="${MARGIN.top + 4}">estimated</text>` : ""}
<text x="${MARGIN.left - 4}" y="${HEIGHT - MARGIN.bottom}" text-anchor="end">0</text>
<text x="${WIDTH - MARGIN.right}" y="${HEIGHT - 6}" text-anchor="end">${trials.length} programs</text>
${dots.join("")}<polyline points="${line.join(" ")}"/>${roof}</svg>`;
}

function candidates({ trials, estimated }: Tuning): string {
  const best = fastest(trials).slice(0, CANDIDATES);
  if (best.length === 0) return "";
  const rows = best.map(({ seconds, knobs, best: isBest }) => {
    const choices = Object.entries(knobs).map(([name, value]) => `${name} = ${value}`);
    return `<tr><td class="number">${time(seconds)}</td><td>${isBest ? "verified" : ""}</td><td>${escape(choices.join(", ") || "no knobs")}</td></tr>`;
  });
  return `<h3 id="best">Best candidates</h3><table aria-labelledby="best"><thead><tr><th scope="col">${estimated ? "estimated time" : "time"}</th><th scope="col"></th><th scope="col">choices</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

/** The programs that were measured, the fastest first; the same time stands for the same program, once. */
function fastest(trials: readonly Trial[]): (Trial & { seconds: number })[] {
  const timed = trials.filter((trial): trial is Trial & { seconds: number } => trial.seconds !== null);
  const once = new Map(timed.toReversed().map((trial) => [trial.seconds, trial]));
  return [...once.values()].sort((a, b) => a.seconds - b.seconds);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** `12.3 µs`: three digits, in the unit that needs no more. */
export function time(seconds: number): string {
  const [factor, unit] = UNITS.find(([factor]) => seconds * factor >= 1) ?? [1e9, "ns"];
  return `${Number((seconds * factor).toPrecision(3))} ${unit}`;
}

function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")} min`;
}

const STYLE = `
body { color: var(--vscode-foreground); font: var(--vscode-font-size) var(--vscode-font-family); padding: 0 1em 1em; }
h2 { font-size: 1em; font-weight: 600; margin: .6em 0 .2em; } h3 { font-size: 1em; font-weight: 600; margin: 1em 0 .3em; }
p { margin: .3em 0; } .quiet { opacity: .85; }
button { color: var(--vscode-button-secondaryForeground); background: var(--vscode-button-secondaryBackground); border: 1px solid var(--vscode-button-border, var(--vscode-contrastBorder, transparent)); padding: .3em .8em; margin: 0 .4em .4em 0; cursor: pointer; font: inherit; border-radius: 2px; }
button[data-action="apply"] { color: var(--vscode-button-foreground); background: var(--vscode-button-background); }
button:focus-visible { outline: 1px solid var(--vscode-focusBorder); outline-offset: 2px; }
svg { width: 100%; max-width: 44em; } svg text { fill: var(--vscode-foreground); font-size: 10px; }
.axis { stroke: var(--vscode-charts-lines, var(--vscode-foreground)); opacity: .6; }
.dot { fill: var(--vscode-charts-foreground, var(--vscode-foreground)); opacity: .5; } .known { fill: none; stroke: var(--vscode-charts-foreground, var(--vscode-foreground)); opacity: .5; }
polyline { fill: none; stroke: var(--vscode-charts-blue); stroke-width: 2; }
line.limit { stroke: var(--vscode-charts-green); stroke-dasharray: 5 3; } text.limit { fill: var(--vscode-charts-green); }
table { border-collapse: collapse; } th, td { text-align: left; font-weight: normal; padding: .15em .8em .15em 0; vertical-align: top; } thead th { opacity: .8; }
.number { white-space: nowrap; font-variant-numeric: tabular-nums; } td:nth-child(2) { color: var(--vscode-charts-green); }
`;
