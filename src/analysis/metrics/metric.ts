/** What a metric is: a number in some unit, of which more or less is better, and what can be said next to it. */
import { AvocetError } from "../../base/inner.ts";
import type { ArrayLabels, BoxLabels, ClassLabels, MaskLabels, TextLabels } from "../../data/inner.ts";
import type { Feeds, Tensor } from "../../tensor/inner.ts";
import type { OutputMeaning } from "../output-meaning.ts";
import type { Decoding } from "./decoding.ts";
import type { View } from "./views.ts";

/** What is true of the samples of one batch, by the kind of labels. `at(n)` is of the n-th sample of the batch. */
export interface BatchLabels {
  readonly classes: ClassLabels & Place;
  readonly masks: MaskLabels & Place;
  readonly arrays: ArrayLabels & Place;
  readonly boxes: BoxLabels & Place;
  readonly texts: TextLabels & Place;
  /** Those of the model that the judged one is compared with, for the same samples. */
  readonly outputs: { readonly kind: "outputs"; readonly outputs: Feeds } & Place;
  readonly none: { readonly kind: "none" } & Place;
}

interface Place {
  /** Index of the batch's first sample in the data. */
  readonly first: number;
  /** Samples of the batch. */
  readonly size: number;
}

/**
 * The labels that a metric needs: the class of each sample, the class of each of its pixels or positions, the numbers that the model
 * should answer, the boxes around objects, a text, the outputs of the model that it is compared with, or none.
 */
export type LabelKind = keyof BatchLabels;

/**
 * A measure of a model's outputs, made again for each model that is judged. A program's own is an object of this shape:
 *
 * @example
 * const meanError = () => {
 *   let [sum, seen] = [0, 0];
 *   return {
 *     name: "mae", unit: "m", better: "lower", labels: "arrays",
 *     see({ depth }, feeds, labels) {
 *       const found = depth.floats();
 *       for (let n = 0, i = 0; n < labels.size; n++) {
 *         for (const truth of labels.at(n).floats()) sum += Math.abs(found[i++] - truth);
 *       }
 *       seen += found.length;
 *     },
 *     value: () => sum / seen,
 *   };
 * };
 * const { value } = await evaluate(session, data, meanError(), { labels });
 */
export interface Metric<Kind extends LabelKind = LabelKind> {
  readonly name: string;
  /** "%": the value is a fraction and shown times 100. Otherwise what is written behind the value ("dB", "m"), "" for none. */
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly labels: Kind;
  /** Takes what one batch gave: outputs and inputs by name, and what is true of its samples. */
  see(outputs: Feeds, feeds: Feeds, labels: BatchLabels[Kind]): void;
  /** The score of all that was seen so far. */
  value(): number;
  /** From what intervals follow; absent: there are none. */
  readonly tally?: Tally;
  /** What the outputs say of each sample of the batch, and what is true of it, for reports. Absent: there is nothing to see. */
  show?(outputs: Feeds, labels: BatchLabels[Kind]): readonly Shown[];
}

/** An answer that can be drawn, next to the right one. */
export interface Shown {
  readonly found: View;
  readonly truth: View | null;
}

/** A score as a function of what single samples add up to, in the order in which they were seen. */
export interface Tally {
  readonly rows: readonly ArrayLike<number>[];
  /** The score of as many samples whose rows add up to this. */
  score(sums: ArrayLike<number>): number;
  /** A row is one number: 1 (right) or 0. */
  readonly isShare: boolean;
  /** Classes of the model; null where its output does not say. Absent: the metric is of no classes. */
  classes?(): number | null;
  /** What guessing would score. Absent: guessing has no score. */
  guessing?(): Guessing;
}

export interface Guessing {
  /** Each class with the same chance. */
  readonly chance: number;
  /** Always the commonest answer, which only who knows the labels can give; 0 where they are of one class. */
  readonly commonest: number;
}

export interface MetricOptions {
  /** The output that is judged. Default: the first. */
  readonly output?: string | undefined;
  /** What it holds. Default: what the metric expects, classes on axis 1. */
  readonly meaning?: OutputMeaning | undefined;
  /** Pixels or positions with this label are not judged. Default: all are. */
  readonly ignore?: number | undefined;
  /** How outputs become texts or boxes. */
  readonly decode?: Decoding | undefined;
}

/** The judged output. Throws `usage/bad-value` where there is none of this name. */
export function judgedOutput(outputs: Feeds, name: string | undefined): Tensor {
  const found = name === undefined ? Object.values(outputs)[0] : outputs[name];
  if (found) return found;
  throw new AvocetError("usage/bad-value", `expected an output of the model, got "${name}"`, {
    hint: Object.keys(outputs).join(", "),
  });
}

/** How much worse the second score is than the first, in the metric's unit; below zero it is better. */
export function lossOf({ better }: Pick<Metric, "better">, first: number, second: number): number {
  return better === "higher" ? first - second : second - first;
}
