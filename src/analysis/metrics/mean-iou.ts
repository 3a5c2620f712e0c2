/** Mean intersection over union of segmentations, over all pixels of all samples. */
import { AvocetError } from "../../base/inner.ts";
import { decide } from "./decide.ts";
import type { Guessing, Metric, MetricOptions } from "./metric.ts";
import { maskViews } from "./views.ts";

/** Labels are bytes: where an output holds class numbers, there are no more classes. */
const byteClasses = 256;

/**
 * Pixels with the label `ignore` are not judged and it is no class, but a judged pixel may be predicted as it, which is an error of
 * its true class. Classes that occur neither as truth nor as found count as 0; where the output holds class numbers (ArgMax), so that
 * nobody knows how many classes there are, they do not count.
 */
export function meanIoU(options: MetricOptions = {}): Metric<"masks"> {
  const { ignore } = options;
  /** By sample [3 · classes]: how many pixels of each class are right, are true, were found. */
  const rows: Float64Array[] = [];
  let classes = 0;
  let chosen = false;
  const score = (sums: ArrayLike<number>) => mean(unionsOf(sums, ignore, chosen));
  return {
    name: "miou",
    unit: "%",
    better: "higher",
    labels: "masks",
    see(outputs, _feeds, labels) {
      const { first, size } = labels;
      const { places, ...found } = decide(outputs, labels, options, `${labels.height} × ${labels.width} pixels`);
      chosen = found.count === null;
      classes = found.count ?? byteClasses;
      for (let n = 0; n < size; n++) {
        const row = new Float64Array(3 * classes);
        const mask = labels.at(n);
        for (let i = 0; i < places; i++) {
          const truth = mask[i]!;
          if (truth === ignore) continue;
          if (truth >= classes) {
            throw new AvocetError(
              "data/labels",
              `expected labels below ${classes}, sample ${first + n} has a pixel of class ${truth}`,
              {
                at: labels.source ?? "labels",
                hint: "--ignore-label names the label of pixels that are not judged",
              },
            );
          }
          const guess = found.classes[n * places + i]!;
          const add = (at: number) => {
            row[at] = row[at]! + 1;
          };
          if (guess === truth) add(truth);
          add(classes + truth);
          // Pixels with NaN are found as no class.
          if (guess >= 0 && guess < classes) add(2 * classes + guess);
        }
        rows.push(row);
      }
    },
    value: () => score(sumsOf(rows, classes)),
    tally: {
      rows,
      score,
      isShare: false,
      classes: () => (chosen ? null : classes),
      guessing: () => guessing(sumsOf(rows, classes), ignore, chosen),
    },
    show: (outputs, labels) => maskViews(decide(outputs, labels, options, "pixels"), labels),
  };
}

function sumsOf(rows: readonly Float64Array[], classes: number): Float64Array {
  const sums = new Float64Array(3 * classes);
  for (const row of rows) for (const [i, count] of row.entries()) sums[i] = sums[i]! + count;
  return sums;
}

function unionsOf(sums: ArrayLike<number>, ignore: number | undefined, occurring: boolean): number[] {
  const classes = sums.length / 3;
  const found: number[] = [];
  for (let c = 0; c < classes; c++) {
    const union = sums[classes + c]! + sums[2 * classes + c]! - sums[c]!;
    if (c !== ignore && !(occurring && union === 0)) found.push(sums[c]! / Math.max(union, 1));
  }
  return found;
}

/** Each class at each pixel with the same chance, or the commonest class everywhere. */
function guessing(sums: ArrayLike<number>, ignore: number | undefined, occurring: boolean): Guessing {
  const classes = sums.length / 3;
  const counts = Array.from({ length: classes }, (_, c) => sums[classes + c]!);
  const total = Math.max(
    counts.reduce((a, b) => a + b, 0),
    1,
  );
  const judged = counts.flatMap((count, c) => (c === ignore || (occurring && count === 0) ? [] : [count / total]));
  const guess = 1 / Math.max(judged.length, 1);
  const byChance = mean(judged.map((share) => (share * guess) / (share + guess - share * guess)));
  return { chance: byChance, commonest: judged.length > 1 ? Math.max(...judged) * guess : 0 };
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0) / Math.max(numbers.length, 1);
}
