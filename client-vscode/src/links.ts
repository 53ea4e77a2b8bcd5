/** Places that stand for each other in source and target, while one of the two is edited. */

import type { Link, Position, Range } from "./protocol";

/** An edit of a document: the range that was replaced, and by what. */
export interface Edit {
  range: Range;
  text: string;
}

/** The ranges of the other side that belong to a position; those of the smallest place that holds it. */
export function partners(links: readonly Link[], side: "source" | "target", position: Position): Link[] {
  const holding = links.filter((link) => holds(link[side], position));
  const smallest = Math.min(...holding.map((link) => size(link[side])));
  return holding.filter((link) => size(link[side]) === smallest);
}

/** The links after an edit of one side: moved where it was above, gone where it was inside. */
export function afterEdit(links: readonly Link[], side: "source" | "target", edit: Edit): Link[] {
  return links.flatMap((link) => {
    const range = moved(link[side], edit);
    return range === undefined ? [] : [{ ...link, [side]: range }];
  });
}

function moved(range: Range, edit: Edit): Range | undefined {
  if (before(range.end, edit.range.start) || equal(range.end, edit.range.start)) return range;
  if (before(range.start, edit.range.end)) return undefined;
  return { start: follow(range.start, edit), end: follow(range.end, edit) };
}

/** Where a position behind an edit is afterwards. */
function follow(position: Position, edit: Edit): Position {
  const lines = edit.text.split(/\r\n|\r|\n/);
  const last = lines[lines.length - 1]?.length ?? 0;
  const line = position.line + lines.length - 1 - (edit.range.end.line - edit.range.start.line);
  if (position.line !== edit.range.end.line) return { line, character: position.character };
  const base = lines.length === 1 ? edit.range.start.character + last : last;
  return { line, character: base + position.character - edit.range.end.character };
}

function holds(range: Range, position: Position): boolean {
  return !before(position, range.start) && !before(range.end, position);
}

function before(a: Position, b: Position): boolean {
  return a.line < b.line || (a.line === b.line && a.character < b.character);
}

function equal(a: Position, b: Position): boolean {
  return a.line === b.line && a.character === b.character;
}

function size(range: Range): number {
  return (range.end.line - range.start.line) * 10_000 + range.end.character - range.start.character;
}
