/** The evidence of a translation as a page: no scripts, no network, the colours of the theme. */

import { TITLES } from "./platforms";
import type { Evidence, JobResult } from "./protocol";
import { remedied, type Verdict, whyUnverified } from "./verdict";

/** The ladder: its rungs in order, and what each means. */
export const LADDER: readonly (readonly [rung: string, meaning: string])[] = [
  ["parsed", "the text parses, names resolve, every kernel has a meaning"],
  ["compiled", "the platform's own compiler takes the delivered text, or what stood in for it"],
  ["executed", "source and translation agree on the same inputs"],
  ["sanitized", "nothing is accessed outside of any buffer, in either order of threads"],
  ["special", "infinities and NaN among the data are passed on as the source does"],
  ["proved", "shown by reasoning, for what each line names"],
  ["measured", "its speed on a named device"],
];

const STATUS_WORDS = { verified: "Verified", unverified: "Not verified", refused: "Refused" } as const;

/** The page for a result; `now` is what may be said of the text as it stands in the editor. */
export function evidencePage(result: JobResult, nonce: string, now?: Verdict): string {
  const good = now === undefined ? result.status === "verified" : now.state === "verified";
  const heading = now === undefined || now.state === "verified" ? STATUS_WORDS[result.status] : "Not verified as it stands";
  const why = now !== undefined && now.state !== "verified" ? now.words : result.status === "verified" ? "" : whyUnverified(result);
  const source = result.source.slice(result.source.lastIndexOf("/") + 1);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}';">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evidence</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(decode(source))} → ${escape(result.fileName.replace(/^.*[\\/]/, ""))} <small>${TITLES[result.to]}</small></h1>
<p class="verdict ${good ? "good" : "bad"}" role="status">${good ? "✓" : "✗"} ${heading} <span>in ${result.seconds.toFixed(1)} s</span></p>
${why ? `<p class="why">${escape(why)}</p>` : ""}
<h2 id="ladder">What was checked</h2>
<ol class="ladder" aria-labelledby="ladder">${LADDER.map(([rung, meaning]) => step(rung, meaning, result.evidence)).join("")}</ol>
${entries(result)}${diagnostics(result)}${times(result.evidence)}
</main>
</body>
</html>`;
}

function step(rung: string, meaning: string, evidence: readonly Evidence[]): string {
  const checks = evidence.filter((check) => check.rung === rung);
  const state = checks.length === 0 ? "open" : checks.every(({ ok }) => ok) ? "good" : "bad";
  const word = { open: "not done", good: "holds", bad: "failed" }[state];
  const items = checks.map(
    ({ ok, tool, detail }) =>
      `<li class="${ok ? "good" : "bad"}"><span class="mark" aria-label="${ok ? "holds" : "failed"}">${ok ? "✓" : "✗"}</span> <b>${escape(tool)}</b> ${escape(detail)}</li>`,
  );
  return `<li class="${state}"><h3>${rung} <em>${word}</em></h3><p>${meaning}</p>${items.length ? `<ul>${items.join("")}</ul>` : ""}</li>`;
}

function entries({ entries }: JobResult): string {
  if (entries.length === 0) return "";
  const rows = entries.map(
    ({ name, kind, status, detail }) =>
      `<tr><th scope="row"><code>${escape(name)}</code></th><td>${escape(kind)}</td><td class="${status === "verified" ? "good" : "bad"}">${escape(status)}</td><td>${escape(detail)}</td></tr>`,
  );
  return `<h2 id="entries">Functions that can be called</h2><table aria-labelledby="entries"><thead><tr><th scope="col">name</th><th scope="col">kind</th><th scope="col">status</th><th scope="col">why</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function diagnostics({ diagnostics }: JobResult): string {
  if (diagnostics.length === 0) return "";
  const items = diagnostics.map((one) => {
    const place = one.line === null ? "" : `line ${one.line}, column ${one.column ?? 1}: `;
    return `<li class="${one.severity === "error" ? "bad" : "open"}">${place}${escape(remedied(one))} <code>${escape(one.code)}</code></li>`;
  });
  return `<h2 id="messages">Messages</h2><ul aria-labelledby="messages">${items.join("")}</ul>`;
}

function times(evidence: readonly Evidence[]): string {
  const timed = evidence.filter(({ seconds }) => seconds > 0);
  if (timed.length === 0) return "";
  const most = Math.max(...timed.map(({ seconds }) => seconds));
  const rows = timed.map(
    ({ rung, tool, seconds }) =>
      `<tr><th scope="row">${escape(rung)}</th><td>${escape(tool)}</td><td class="number">${seconds.toFixed(2)} s</td><td><meter min="0" max="${most}" value="${seconds}" aria-label="${escape(rung)}, ${escape(tool)}: ${seconds.toFixed(2)} seconds"></meter></td></tr>`,
  );
  return `<h2 id="times">Times</h2><table aria-labelledby="times"><thead><tr><th scope="col">check</th><th scope="col">tool</th><th scope="col">time</th><th scope="col"></th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

/** Text as text, whatever a kernel's author wrote into it. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const STYLE = `
body { color: var(--vscode-foreground); font: var(--vscode-font-size) var(--vscode-font-family); line-height: 1.5; padding: 0 2em 2em; max-width: 62em; }
h1 { font-size: 1.5em; font-weight: 600; margin: 1em 0 .3em; } h1 small { font-size: .7em; font-weight: normal; opacity: .8; margin-left: .5em; }
h2 { font-size: 1.15em; font-weight: 600; margin: 1.8em 0 .6em; border-bottom: 1px solid var(--vscode-widget-border, var(--vscode-contrastBorder, #8888)); padding-bottom: .2em; }
h3 { font-size: 1em; margin: 0; font-weight: 600; } h3 em { font-style: normal; font-weight: normal; margin-left: .6em; }
code { font-family: var(--vscode-editor-font-family); }
.verdict { font-size: 1.2em; font-weight: 600; margin: .2em 0; } .verdict span { font-weight: normal; opacity: .8; font-size: .85em; }
.why { margin: .2em 0; }
.verdict.good, td.good, .mark, li.good > h3 em { color: var(--vscode-charts-green); }
.verdict.bad, td.bad, li.bad > .mark, li.bad > h3 em { color: var(--vscode-charts-red); }
.ladder { list-style: none; padding: 0; margin: 0; }
.ladder > li { border-left: 3px solid var(--vscode-charts-lines, #8888); padding: .1em 0 .7em 1em; }
.ladder > li.good { border-left-color: var(--vscode-charts-green); }
.ladder > li.bad { border-left-color: var(--vscode-charts-red); }
.ladder > li.open { border-left-style: dashed; } .ladder > li.open > h3 em { opacity: .8; }
.ladder p { margin: 0; opacity: .85; } .ladder ul { list-style: none; margin: .3em 0 0; padding: 0; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2em 1.2em .2em 0; vertical-align: top; font-weight: normal; }
thead th { opacity: .8; } .number { text-align: right; font-variant-numeric: tabular-nums; }
meter { width: 14em; height: .8em; }
meter::-webkit-meter-bar { background: transparent; border: 1px solid var(--vscode-charts-lines, #8888); border-radius: 2px; height: .7em; }
meter::-webkit-meter-optimum-value { background: var(--vscode-charts-blue); border-radius: 1px; }
`;
