/**
 * Average precision of detections, as COCO's evaluation defines it (Lin et al., 2014) and as VOC's does (Everingham et al., 2010): boxes of
 * one class are matched with objects image by image, the best scores first, and precision is averaged over recall.
 */
import type { Box } from "../../data/inner.ts";
import { type FoundBox, intersectionOverUnion } from "./box-decoder.ts";

/** Objects and detections of one class, over all images. */
export interface ClassTally {
  /** Objects that should be found. */
  objects: number;
  readonly scores: number[];
  /** By detection, bit by bit, whether it found an object at each overlap; and whether it does not count. */
  readonly hits: number[];
  readonly ignored: number[];
}

export function emptyTally(): ClassTally {
  return { objects: 0, scores: [], hits: [], ignored: [] };
}

/** Adds one image: all of one class. At most 30 overlaps, a bit each. */
export function match(
  tally: ClassTally,
  found: readonly FoundBox[],
  truth: readonly Box[],
  overlaps: readonly number[],
): void {
  // Those that need not be found come last, so that an object that counts is preferred.
  const objects = [...truth].sort((a, b) => Number(a.ignore ?? false) - Number(b.ignore ?? false));
  tally.objects += objects.filter(({ ignore }) => !ignore).length;
  const table = found.map((box) => objects.map((object) => intersectionOverUnion(box, object, object.ignore)));
  const taken = overlaps.map(() => new Set<number>());
  for (const [d, { score }] of found.entries()) {
    let [hits, ignored] = [0, 0];
    for (const [t, overlap] of overlaps.entries()) {
      const best = bestObject(table[d]!, objects, taken[t]!, overlap);
      if (best < 0) continue;
      taken[t]!.add(best);
      if (objects[best]!.ignore) ignored |= 1 << t;
      else hits |= 1 << t;
    }
    tally.scores.push(score);
    tally.hits.push(hits);
    tally.ignored.push(ignored);
  }
}

/** The free object that overlaps most, the later of equal ones; one that need not be found only where no other is there. −1: none. */
function bestObject(row: readonly number[], objects: readonly Box[], taken: Set<number>, overlap: number): number {
  let best = -1;
  let most = Math.min(overlap, 1 - 1e-10);
  for (const [g, object] of objects.entries()) {
    if (taken.has(g) && !object.ignore) continue;
    if (best >= 0 && !objects[best]!.ignore && object.ignore) break;
    if (row[g]! < most) continue;
    most = row[g]!;
    best = g;
  }
  return best;
}

/**
 * The average precision at overlap number `at`; null where there is nothing to find. "points": the mean of 101 recalls, COCO's. "area": below
 * the curve, VOC's since 2010.
 */
export function averagePrecision(tally: ClassTally, at: number, over: "points" | "area"): number | null {
  if (tally.objects === 0) return null;
  const order = Array.from(tally.scores.keys()).sort((a, b) => tally.scores[b]! - tally.scores[a]!);
  const recall: number[] = [];
  const precision: number[] = [];
  let [right, wrong] = [0, 0];
  for (const d of order) {
    if ((tally.ignored[d]! >> at) & 1) continue;
    if ((tally.hits[d]! >> at) & 1) right++;
    else wrong++;
    recall.push(right / tally.objects);
    precision.push(right / (right + wrong));
  }
  // Precision at a recall is the best at that recall or beyond.
  for (let i = precision.length - 2; i >= 0; i--) precision[i] = Math.max(precision[i]!, precision[i + 1]!);
  if (over === "area") {
    return recall.reduce((area, r, i) => area + (r - (recall[i - 1] ?? 0)) * precision[i]!, 0);
  }
  let sum = 0;
  let i = 0;
  for (let step = 0; step <= 100; step++) {
    // As COCO's tools round them: 57 · 0.01 lies above 0.57, and a recall of 57 in 100 below it.
    while (i < recall.length && recall[i]! < (step === 100 ? 1 : step * 0.01)) i++;
    sum += precision[i] ?? 0;
  }
  return sum / 101;
}
