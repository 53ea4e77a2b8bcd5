/** Where two texts differ, line by line. */

/** Lines `[start, end)` of the original stand where lines `[start, end)` of the modified text are. */
export interface Hunk {
  original: [start: number, end: number];
  modified: [start: number, end: number];
}

const LARGEST = 16_000_000; // cells of the table; more than that and the middle counts as one difference

/** The differences of two lists of lines, in order: longest common subsequence between equal ends. */
export function hunks(original: readonly string[], modified: readonly string[]): Hunk[] {
  let head = 0;
  while (head < original.length && head < modified.length && original[head] === modified[head]) head++;
  let tail = 0;
  while (
    tail < original.length - head &&
    tail < modified.length - head &&
    original[original.length - 1 - tail] === modified[modified.length - 1 - tail]
  ) {
    tail++;
  }
  const a = original.slice(head, original.length - tail);
  const b = modified.slice(head, modified.length - tail);
  if (a.length === 0 && b.length === 0) return [];
  if (a.length * b.length > LARGEST) return [shifted({ original: [0, a.length], modified: [0, b.length] }, head)];
  return between(a, b).map((hunk) => shifted(hunk, head));
}

/** The difference at a line of the modified text, else the next one below it; undefined if there is none. */
export function hunkAt(all: readonly Hunk[], line: number): Hunk | undefined {
  return all.find(({ modified: [start, end] }) => line < Math.max(end, start + 1));
}

function between(a: readonly string[], b: readonly string[]): Hunk[] {
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const found: Hunk[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [i0, j0] = [i, j];
    while ((i < a.length || j < b.length) && !(i < a.length && j < b.length && a[i] === b[j])) {
      if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) i++;
      else j++;
    }
    if (i > i0 || j > j0) found.push({ original: [i0, i], modified: [j0, j] });
    while (i < a.length && j < b.length && a[i] === b[j]) {
      i++;
      j++;
    }
  }
  return found;
}

function shifted(hunk: Hunk, by: number): Hunk {
  const [a, b] = hunk.original;
  const [c, d] = hunk.modified;
  return { original: [a + by, b + by], modified: [c + by, d + by] };
}
