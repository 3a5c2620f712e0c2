/** Names that a user may have meant. */

/** Names longer than this are nobody's slip of the finger, and the distance takes time in proportion to both lengths. */
const longest = 100;

/** The names that need the fewest edits, nearest first, if they are not further off than half the length. */
export function nearest(wanted: string, names: Iterable<string>, count: number): string[] {
  if (wanted.length > longest) return [];
  return [...new Set(names)]
    .filter((name) => name.length <= longest)
    .map((name) => ({ name, edits: editDistance(wanted.toLowerCase(), name.toLowerCase()) }))
    .filter(({ edits }) => edits <= Math.max(2, wanted.length / 2))
    .sort((a, b) => a.edits - b.edits)
    .slice(0, count)
    .map(({ name }) => name);
}

/** "did you mean fast?", or undefined where no name is near. A name of two letters is near to too many others. */
export function didYouMean(wanted: unknown, names: Iterable<string>): string | undefined {
  if (typeof wanted !== "string") return undefined;
  const near = nearest(wanted, names, 1).filter(
    (name) => editDistance(wanted.toLowerCase(), name.toLowerCase()) < name.length,
  );
  return near.length > 0 ? `did you mean ${near[0]}?` : undefined;
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
