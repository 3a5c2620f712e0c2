/** Batch normalization in inference, as arithmetic: y = s·x + t per channel, and the statistics that later steps need. */

import { AvocetError, parseJson, type Refused, refuse } from "../base/inner.ts";
import { floatConstant, isOp } from "../facts/inner.ts";
import type { Node, Value } from "../ir/inner.ts";
import { elementsOf } from "../tensor/inner.ts";

/** s and t of y = s·x + t, one number per channel. */
export interface ChannelAffine {
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

/**
 * What batch normalization says about its output before any data is seen: channel c is distributed with mean beta[c]
 * and standard deviation |gamma[c]|.
 */
export interface BatchNormStatistics {
  readonly gamma: readonly number[];
  readonly beta: readonly number[];
}

export interface BatchNorm extends ChannelAffine {
  readonly node: Node;
  readonly statistics: BatchNormStatistics;
}

/** Reads a BatchNormalization node: s = γ / √(σ² + ε), t = β − μ·s. Refuses training form and computed parameters. */
export function batchNormOf(node: Node): BatchNorm | Refused | undefined {
  if (!isOp(node, "BatchNormalization")) return undefined;
  if (node.int("training_mode", 0) !== 0 || node.outputs.slice(1).some((o) => o.name !== "")) {
    return refuse("it is in training form: it computes the statistics of the batch");
  }
  if (node.int("spatial", 1) === 0) return refuse("it has statistics per place (spatial = 0)");
  const parameters = [1, 2, 3, 4].map((i) => floatConstant(node.input(i)));
  const names = ["scale", "bias", "mean", "variance"];
  const missing = parameters.findIndex((p) => !p);
  if (missing >= 0) return refuse(`its ${names[missing]} is computed, not constant`);
  const [gamma, beta, mean, variance] = parameters.map((p) => Array.from(elementsOf(p!))) as [
    number[],
    number[],
    number[],
    number[],
  ];
  const epsilon = node.float("epsilon", 1e-5);
  const scale = gamma.map((g, c) => g / Math.sqrt(variance[c]! + epsilon));
  const shift = beta.map((b, c) => b - mean[c]! * scale[c]!);
  if (![...scale, ...shift].every(Number.isFinite))
    return refuse("its parameters are not finite, or a variance is negative");
  return { node, scale, shift, statistics: { gamma, beta } };
}

const key = "avocet.batch-norm";

/** Notes on the node that computes a value (an input has none) which statistics the folded batch norm promised; survives saving. */
export function setBatchNormStatistics(value: Value, { gamma, beta }: BatchNormStatistics): void {
  // Nine digits restore every float32, and more is not known of them.
  const text = (xs: readonly number[]) => xs.map((x) => Number(x.toPrecision(9)));
  value.producer?.metadata.set(key, JSON.stringify({ gamma: text(gamma), beta: text(beta) }));
}

/** Reads the note again: a file from elsewhere may say anything under our key. Throws `import/malformed`. */
function noteOf(text: string, { name }: Value): BatchNormStatistics {
  const at = `${key} of ${name}`;
  const note = parseJson(text, { at, code: "import/malformed" }) as Partial<BatchNormStatistics> | null;
  const [gamma, beta] = [note?.gamma, note?.beta];
  const finite = (xs: unknown): xs is readonly number[] => Array.isArray(xs) && xs.every(Number.isFinite);
  if (finite(gamma) && finite(beta) && gamma.length === beta.length) return { gamma, beta };
  throw new AvocetError("import/malformed", "expected gamma and beta, as many finite numbers each, got others", {
    at,
    hint: "remove this metadata of the node: Avocet writes it when it folds a batch norm",
  });
}

/**
 * The statistics of a value that a batch norm was folded into: per channel, mean beta and standard deviation |gamma|.
 * undefined where no batch norm computed it.
 */
export function batchNormStatistics(value: Value): BatchNormStatistics | undefined {
  const noted = value.producer?.metadata.get(key);
  if (noted !== undefined) {
    const { gamma, beta } = noteOf(noted, value);
    return { gamma: gamma.map(Math.fround), beta: beta.map(Math.fround) };
  }
  const bn = value.producer && value === value.producer.output ? batchNormOf(value.producer) : undefined;
  return bn && !("refused" in bn) ? bn.statistics : undefined;
}

/** Every value of the model with such statistics, by name. */
export function batchNormRecords(values: Iterable<Value>): Map<string, BatchNormStatistics> {
  const found = new Map<string, BatchNormStatistics>();
  for (const value of values) {
    const statistics = batchNormStatistics(value);
    if (statistics) found.set(value.name, statistics);
  }
  return found;
}

/** Carries the statistics of a value through y = s·x + t on it; call it when a rewrite scales the layer's output. */
export function moveBatchNormStatistics(value: Value, { scale, shift }: ChannelAffine): void {
  const before = batchNormStatistics(value);
  if (!before) return;
  setBatchNormStatistics(value, {
    gamma: before.gamma.map((g, c) => g * scale[c]!),
    beta: before.beta.map((b, c) => b * scale[c]! + shift[c]!),
  });
}
