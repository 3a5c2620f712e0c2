/** Metrics with labels: top-k accuracy and mean intersection over union. They stream; nothing of a batch is kept. */
import { AvocetError } from "../base/index.ts";
import type { ClassLabels, MaskLabels } from "../data/index.ts";
import type { Feeds, Tensor } from "../tensor/index.ts";
import { argmaxClasses, scoreLayout } from "./classes.ts";

export interface Metric {
  readonly name: string;
  /** Takes the outputs of one batch; `first` is the index of its first sample. */
  see(outputs: Feeds, first: number, size: number): void;
  /** The score so far, a fraction in 0 … 1; higher is better. */
  value(): number;
}

/** The share of samples whose label is among the k highest scores of the first (or the named) output. */
export function topK(labels: ClassLabels, k: number, output?: string): Metric {
  let hits = 0;
  let seen = 0;
  return {
    name: `top${k}`,
    see(outputs, first, size) {
      const scores = pick(outputs, output);
      const { outer, classes, inner } = scoreLayout(scores.shape);
      if (outer !== size || inner !== 1) {
        throw new AvocetError(
          "data/wrong-shape",
          `expected scores [${size}, classes], got [${scores.shape.join(",")}]`,
          {
            hint: "top-k judges classification; use --metric miou for segmentation",
          },
        );
      }
      const data = scores.floats();
      for (let n = 0; n < size; n++) {
        const label = labels.at(first + n);
        if (label < 0 || label >= classes) {
          throw new AvocetError(
            "data/labels",
            `expected labels below ${classes}, the label of sample ${first + n} is ${label}`,
            {
              at: labels.source ?? "labels",
              hint: "the model has one score for each class: are data and labels of its kind?",
            },
          );
        }
        const own = data[n * classes + label]!;
        // Classes that win against the label: a higher score, an equal one that comes first, or NaN, as in NumPy.
        let ahead = 0;
        for (let c = 0; c < classes; c++) {
          const score = data[n * classes + c]!;
          if (c !== label && !(score < own || (score === own && c > label))) ahead++;
        }
        if (ahead < k && !Number.isNaN(own)) hits++;
      }
      seen += size;
    },
    value: () => hits / Math.max(seen, 1),
  };
}

/**
 * Mean over classes of intersection / union, over all pixels of all samples. Pixels with the label `ignore` are not
 * judged and it is no class, but a judged pixel may be predicted as it, which is an error of its true class.
 */
export function meanIoU(
  labels: MaskLabels,
  options: { readonly ignore?: number; readonly output?: string } = {},
): Metric {
  const places = labels.height * labels.width;
  let table = new Float64Array(0);
  let classes = 0;
  return {
    name: "miou",
    see(outputs, first, size) {
      const scores = pick(outputs, options.output);
      const layout = scoreLayout(scores.shape, places);
      if (layout.outer * layout.inner !== size * places) {
        throw new AvocetError(
          "data/wrong-shape",
          `expected scores for ${size} × ${labels.height} × ${labels.width} pixels, got [${scores.shape.join(",")}]`,
        );
      }
      if (classes === 0) {
        classes = layout.classes;
        table = new Float64Array(classes * (classes + 1));
      }
      const found = argmaxClasses(scores, layout);
      for (let n = 0; n < size; n++) {
        const mask = labels.at(first + n);
        for (let i = 0; i < places; i++) {
          const truth = mask[i]!;
          if (truth === options.ignore) continue;
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
          // Pixels with NaN are found as no class: the last column.
          const guess = found[n * places + i]!;
          const at = truth * (classes + 1) + (guess < 0 ? classes : guess);
          table[at] = table[at]! + 1;
        }
      }
    },
    value: () => meanOfUnions(table, classes, options.ignore),
  };
}

/** Mean IoU of a confusion matrix [truth, found or none]. Classes that occur neither as truth nor as found count as 0. */
function meanOfUnions(table: Float64Array, classes: number, ignore: number | undefined): number {
  let sum = 0;
  let judged = 0;
  for (let c = 0; c < classes; c++) {
    if (c === ignore) continue;
    const row = table.subarray(c * (classes + 1), (c + 1) * (classes + 1));
    const truth = row.reduce((a, b) => a + b, 0);
    let found = 0;
    for (let other = 0; other < classes; other++) found += table[other * (classes + 1) + c]!;
    const hit = row[c]!;
    sum += hit / Math.max(truth + found - hit, 1);
    judged++;
  }
  return sum / Math.max(judged, 1);
}

function pick(outputs: Feeds, name: string | undefined): Tensor {
  const found = name === undefined ? Object.values(outputs)[0] : outputs[name];
  if (!found)
    throw new AvocetError("usage/bad-value", `expected an output of the model, got "${name}"`, {
      hint: Object.keys(outputs).join(", "),
    });
  return found;
}
