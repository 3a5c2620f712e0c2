/** Top-1 accuracy of every pixel, frame or token: the share of positions, over all samples, whose class is right. */
import { AvocetError } from "../../base/inner.ts";
import { decide } from "./decide.ts";
import type { Metric, MetricOptions } from "./metric.ts";
import { maskViews } from "./views.ts";

/** Positions with the label `ignore` are not judged. */
export function positionAccuracy(options: MetricOptions = {}): Metric<"masks"> {
  /** By sample: positions that are right, and that were judged. */
  const rows: Float64Array[] = [];
  const occurring = new Map<number, number>();
  let classes: number | null = null;
  const sum = (at: number) => rows.reduce((total, row) => total + row[at]!, 0);
  const score = (sums: ArrayLike<number>) => sums[0]! / Math.max(sums[1]!, 1);
  return {
    name: "top1",
    unit: "%",
    better: "higher",
    labels: "masks",
    see(outputs, _feeds, labels) {
      const { first, size } = labels;
      const what = `${labels.height * labels.width} positions`;
      const hint = "labels are of each position; --class-axis says where classes are";
      const { places, ...found } = decide(outputs, labels, options, what, hint);
      classes = found.count;
      for (let n = 0; n < size; n++) {
        const row = new Float64Array(2);
        for (const [i, truth] of labels.at(n).entries()) {
          if (truth === options.ignore) continue;
          if (classes !== null && truth >= classes) {
            throw new AvocetError("data/labels", `expected labels below ${classes}, sample ${first + n} has ${truth}`, {
              at: labels.source ?? "labels",
              hint: "--ignore-label names the label of positions that are not judged",
            });
          }
          occurring.set(truth, (occurring.get(truth) ?? 0) + 1);
          row[0] = row[0]! + (found.classes[n * places + i] === truth ? 1 : 0);
          row[1] = row[1]! + 1;
        }
        rows.push(row);
      }
    },
    value: () => score([sum(0), sum(1)]),
    tally: {
      rows,
      score,
      isShare: false,
      classes: () => classes,
      guessing: () => ({
        chance: classes === null ? 0 : 1 / classes,
        commonest: occurring.size > 1 ? Math.max(...occurring.values()) / Math.max(sum(1), 1) : 0,
      }),
    },
    // Frames and tokens lie in one row, in which there is nothing to see.
    show: (outputs, labels) =>
      labels.height > 1 ? maskViews(decide(outputs, labels, options, "positions"), labels) : [],
  };
}
