/** Samples to look at: what two models answer for some of them, the first and those on which they differ most. */
import { AvocetError } from "../base/inner.ts";
import type { Batch } from "../data/inner.ts";
import type { Feeds, Tensor } from "../tensor/inner.ts";
import type { BatchLabels, LabelKind, Metric } from "./metrics/metric.ts";
import { viewDifference } from "./metrics/view-difference.ts";
import { type Cells, imageView, type View } from "./metrics/views.ts";

/** One sample: what is true of it, and what both models answer. */
export interface Example {
  /** Its number in the judged data. */
  readonly sample: number;
  /** The input in grey, where it is an image. */
  readonly input: Cells | null;
  readonly truth: View | null;
  readonly float: View;
  readonly quantized: View;
  /** 0 where both answer the same. */
  readonly difference: number;
}

/** Of the first samples so many are kept whatever they show, and as many again of those that differ most. */
const kept = 3;
/** Samples that are looked at: decoding answers once more takes as long as scoring them. */
const lookedAt = 200;

/** Gathers examples while two models are scored. Nothing grows with the number of samples. */
export class Examples {
  readonly #first: Example[] = [];
  #worst: Example[] = [];

  /** Both models' outputs for a batch; metrics that have no view leave nothing. */
  see(metrics: readonly Metric[], outputs: readonly Feeds[], batch: Batch, labels: BatchLabels[LabelKind]): void {
    if (outputs.length !== 2 || batch.first >= lookedAt) return;
    const [float, quantized] = metrics.map((metric, i) => metric.show?.(outputs[i]!, labels) ?? []);
    for (const [n, a] of float!.entries()) {
      const b = quantized![n]!;
      if (![a, b].every(({ found }) => kinds.includes(found?.kind))) throw unknownView(metrics[0]!.name);
      const sample = batch.first + n;
      const difference = viewDifference(a.found, b.found);
      const least = this.#worst.length < kept ? 0 : this.#worst.at(-1)!.difference;
      const isFirst = this.#first.length < kept;
      if (!isFirst && difference <= least) continue;
      const one = { sample, input: inputOf(batch, n), truth: a.truth, float: a.found, quantized: b.found, difference };
      if (isFirst) this.#first.push(one);
      else this.#worst = [...this.#worst, one].sort((x, y) => y.difference - x.difference).slice(0, kept);
    }
  }

  /** Those that differ most come first. */
  list(): Example[] {
    return [...this.#worst, ...this.#first];
  }
}

const kinds: readonly View["kind"][] = ["text", "boxes", "mask", "signal", "image"];

/** Of a metric that somebody wrote. */
function unknownView(name: string): AvocetError {
  return new AvocetError("usage/bad-value", `expected views of ${kinds.join(", ")} from ${name}.show, got others`, {
    hint: "leave show away, or return [{ found: { kind, … }, truth: null }] for each sample of the batch",
  });
}

/** The sample's part of the first input that is an image. */
function inputOf({ feeds, size }: Batch, n: number): Cells | null {
  for (const tensor of Object.values(feeds)) {
    const shown =
      tensor.shape.length === 4 && tensor.shape[0] === size ? imageView(tensor.shape.slice(1), rowOf(tensor, n)) : null;
    if (shown) return shown.cells;
  }
  return null;
}

function rowOf(tensor: Tensor, n: number): ArrayLike<number> {
  const per = tensor.size / tensor.shape[0]!;
  return tensor.numbers().slice(n * per, (n + 1) * per);
}
