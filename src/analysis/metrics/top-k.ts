/** Top-k accuracy: the share of samples whose label is among the k highest scores. */
import { AvocetError, expectArguments } from "../../base/inner.ts";
import { isFloat, type Tensor } from "../../tensor/inner.ts";
import type { ScoreLayout } from "../classes.ts";
import { decisionLayout } from "../decision-layout.ts";
import type { OutputMeaning } from "../output-meaning.ts";
import { judgedOutput, type Metric, type MetricOptions } from "./metric.ts";

const [right, wrong] = [Uint8Array.of(1), Uint8Array.of(0)];

/** An output of whole numbers is judged as class numbers, the best first, as ArgMax and TopK give them. */
export function topK(k: number, options: MetricOptions = {}): Metric<"classes"> {
  expectArguments("topK(k)", { k: [k, "count"] });
  const rows: Uint8Array[] = [];
  const occurring = new Map<number, number>();
  let hits = 0;
  let classes: number | null = null;
  const note = (label: number, hit: boolean) => {
    occurring.set(label, (occurring.get(label) ?? 0) + 1);
    rows.push(hit ? right : wrong);
    if (hit) hits++;
  };
  return {
    name: `top${k}`,
    unit: "%",
    better: "higher",
    labels: "classes",
    see(outputs, _feeds, labels) {
      const { first, size } = labels;
      const tensor = judgedOutput(outputs, options.output);
      if (!isFloat(tensor.dtype)) {
        const { numbers, per } = choicesOf(tensor, k, size);
        for (let n = 0; n < size; n++) {
          const label = labels.at(n);
          note(label, numbers.slice(n * per, n * per + k).includes(label));
        }
        return;
      }
      const layout = layoutOfSamples(tensor, size, options.meaning);
      classes = layout.classes;
      const data = tensor.floats();
      for (let n = 0; n < size; n++) {
        const label = labels.at(n);
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
        note(label, isAmongBest(data.subarray(n * classes, (n + 1) * classes), label, k));
      }
    },
    value: () => hits / Math.max(rows.length, 1),
    tally: {
      rows,
      score: (sums) => sums[0]! / Math.max(rows.length, 1),
      isShare: true,
      classes: () => classes,
      guessing() {
        const counts = [...occurring.values()].sort((a, b) => b - a);
        const always = counts.slice(0, k).reduce((sum, count) => sum + count, 0) / Math.max(rows.length, 1);
        const chance = classes === null ? 0 : Math.min(1, k / classes);
        return { chance, commonest: counts.length > k ? always : 0 };
      },
    },
  };
}

/** Ahead of the label are a higher score, an equal one that comes first, and NaN, as in NumPy. */
function isAmongBest(scores: Float32Array, label: number, k: number): boolean {
  const own = scores[label]!;
  let ahead = 0;
  for (const [c, score] of scores.entries()) {
    if (c !== label && !(score < own || (score === own && c > label))) ahead++;
  }
  return ahead < k && !Number.isNaN(own);
}

/** One decision a sample, its classes next to each other. */
function layoutOfSamples(scores: Tensor, size: number, meaning: OutputMeaning | undefined): ScoreLayout {
  const first: OutputMeaning = { kind: "scores", axis: 1, joint: false, sure: true, why: "labels are of classes" };
  const layout = decisionLayout(meaning?.kind === "scores" ? meaning : first, scores.shape)?.layout;
  if (layout && layout.outer === size && layout.inner === 1) return layout;
  throw new AvocetError("data/wrong-shape", `expected scores [${size}, classes], got [${scores.shape.join(",")}]`, {
    hint: "top-k judges one decision a sample; use --metric miou for segmentation, --class-axis to say where classes are",
  });
}

/** Class numbers [size] or [size, choices]. */
function choicesOf(tensor: Tensor, k: number, size: number): { numbers: number[]; per: number } {
  const numbers = tensor.numbers();
  const per = numbers.length / size;
  const wide = tensor.shape.filter((length, axis) => axis > 0 && length > 1).length;
  if (tensor.shape[0] === size && wide <= 1 && per >= k) return { numbers, per };
  throw new AvocetError("data/wrong-shape", `expected ${k} class numbers a sample, got [${tensor.shape.join(",")}]`, {
    hint: "an output of classes (ArgMax) has one choice: --metric top1; use --metric miou for segmentation",
  });
}
