/** How far two sequences are apart. */

/** Levenshtein's distance, row by row (Wagner and Fischer, 1974). */
export function editDistance<T>(found: readonly T[], truth: readonly T[]): number {
  let row = Array.from({ length: truth.length + 1 }, (_, j) => j);
  for (const [i, one] of found.entries()) {
    const next = [i + 1];
    for (const [j, other] of truth.entries()) {
      next.push(Math.min(row[j]! + (one === other ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[truth.length]!;
}
