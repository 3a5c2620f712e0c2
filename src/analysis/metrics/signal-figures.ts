/** Figures of outputs against the numbers that they should be, sample by sample; the score is the mean over samples. */
import { AvocetError } from "../../base/inner.ts";
import { type Feeds, isFloat, type Tensor } from "../../tensor/inner.ts";
import { type BatchLabels, judgedOutput, type Metric, type MetricOptions } from "./metric.ts";
import type { View } from "./views.ts";

type Numbers = ArrayLike<number>;

/** What one sample scores. `isWhole`: the labels are whole numbers. */
export type SampleFigure = (found: Numbers, truth: Numbers, isWhole: boolean) => number;

/** A metric of the labels, or of the outputs of the model that the judged one is compared with. */
export function meanOfSamples<Kind extends "arrays" | "outputs">(
  about: Pick<Metric, "name" | "unit" | "better"> & { readonly labels: Kind },
  figure: SampleFigure,
  { output }: MetricOptions = {},
  view?: (shape: readonly number[], values: Numbers) => View | null,
): Metric<Kind> {
  const rows: Float64Array[] = [];
  let sum = 0;
  const mean = (total: number) => total / Math.max(rows.length, 1);
  return {
    ...about,
    see(outputs, _feeds, labels: BatchLabels["arrays" | "outputs"]) {
      const tensor = judgedOutput(outputs, output);
      const found = numbersOf(tensor);
      const per = found.length / labels.size;
      const reference = labels.kind === "outputs" ? judgedOutput(labels.outputs, output) : null;
      const all = reference && numbersOf(reference);
      for (let n = 0; n < labels.size; n++) {
        const label = labels.kind === "arrays" ? labels.at(n) : null;
        const truth = label
          ? numbersOf(label)
          : all!.slice((n * all!.length) / labels.size, ((n + 1) * all!.length) / labels.size);
        if (truth.length !== per) {
          throw new AvocetError(
            "data/wrong-shape",
            `expected ${label ? "labels" : "outputs to compare with"} with ${per} elements a sample, as the output [${tensor.shape.join(",")}] has, got ${truth.length}`,
            label ? { at: (labels as BatchLabels["arrays"]).source ?? "labels" } : {},
          );
        }
        const score = figure(found.slice(n * per, (n + 1) * per), truth, label !== null && !isFloat(label.dtype));
        rows.push(Float64Array.of(score));
        sum += score;
      }
    },
    value: () => mean(sum),
    tally: { rows, isShare: false, score: (sums) => mean(sums[0]!) },
    ...(view && {
      show(outputs: Feeds, labels: BatchLabels["arrays" | "outputs"]) {
        const tensor = judgedOutput(outputs, output);
        const found = numbersOf(tensor);
        const per = found.length / labels.size;
        return Array.from({ length: labels.size }, (_, n) => {
          const truth = labels.kind === "arrays" ? labels.at(n) : null;
          const seen = view(tensor.shape.slice(1), found.slice(n * per, (n + 1) * per));
          return seen && { found: seen, truth: truth && view(truth.shape, numbersOf(truth)) };
        }).filter((one) => one !== null);
      },
    }),
  };
}

function numbersOf(tensor: Tensor): Float32Array | number[] {
  return isFloat(tensor.dtype) ? tensor.floats() : tensor.numbers();
}

/** The mean of squared differences. */
export function meanSquare(found: Numbers, truth: Numbers): number {
  let squares = 0;
  for (let i = 0; i < truth.length; i++) squares += (found[i]! - truth[i]!) ** 2;
  return squares / truth.length;
}

/** The cosine of the angle between them; of two that are all zeros 1, of one that is 0. */
export function cosine(found: Numbers, truth: Numbers): number {
  let [product, a, b] = [0, 0, 0];
  for (let i = 0; i < truth.length; i++) {
    product += found[i]! * truth[i]!;
    a += found[i]! ** 2;
    b += truth[i]! ** 2;
  }
  if (a === 0 || b === 0) return a === b ? 1 : 0;
  return product / Math.sqrt(a * b);
}

/** `10 · log10(peak² / mean square)` in dB. */
export function peakRatio(found: Numbers, truth: Numbers, peak: number): number {
  return 10 * Math.log10(peak ** 2 / meanSquare(found, truth));
}

/**
 * Scale-invariant signal-to-noise ratio in dB (Luo and Mesgarani, 2018): both without their mean, `target = ⟨x, s⟩ s / ‖s‖²`, and
 * `10 · log10(‖target‖² / ‖x − target‖²)`.
 */
export function scaleInvariantRatio(found: Numbers, truth: Numbers): number {
  const meanOf = (x: Numbers) => {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += x[i]!;
    return sum / x.length;
  };
  const [mx, ms] = [meanOf(found), meanOf(truth)];
  let [product, power] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    product += (found[i]! - mx) * (truth[i]! - ms);
    power += (truth[i]! - ms) ** 2;
  }
  const scale = power === 0 ? 0 : product / power;
  let noise = 0;
  for (let i = 0; i < truth.length; i++) noise += (found[i]! - mx - scale * (truth[i]! - ms)) ** 2;
  return 10 * Math.log10((scale ** 2 * power) / noise);
}
