/** Ranges of inputs that nothing tells of, read from the data that is there: the only use of data in quantization without it. */
import { AvocetError } from "../base/inner.ts";
import { type Dataset, samples } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { InputKnowledge, MethodReport } from "../methods/inner.ts";

/** Samples that are looked at. */
const most = 64;

export interface ObservedInputs {
  readonly inputs: Readonly<Record<string, InputKnowledge>>;
  readonly report: MethodReport;
}

/**
 * Least, largest, mean and deviation of every float input but those that are `known`, over 64 samples at most. Throws
 * `data/not-finite` for NaN and infinities.
 */
export async function observedInputs(
  model: Model,
  data: Dataset,
  known: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<ObservedInputs> {
  const start = performance.now();
  const sought = model.graph.inputs.filter(
    ({ name, type, initializer }) =>
      !initializer && !known.has(name) && type?.kind === "tensor" && type.dtype === "float32",
  );
  const seen = new Map(
    sought.map(({ name }) => [name, { low: Infinity, high: -Infinity, sum: 0, squares: 0, count: 0 }]),
  );
  let taken = 0;
  if (seen.size > 0) {
    for await (const { feeds, size } of samples(data, most).batches(1, signal)) {
      for (const [name, one] of seen) for (const value of feeds[name]?.floats() ?? []) note(one, value);
      taken += size;
    }
  }
  const inputs: Record<string, InputKnowledge> = {};
  for (const [name, { low, high, sum, squares, count }] of seen) {
    if (count === 0) continue;
    if (!Number.isFinite(sum) || !Number.isFinite(low) || !Number.isFinite(high)) {
      throw new AvocetError("data/not-finite", `expected finite numbers for ${name}, got NaN or an infinity`, {
        at: data.source,
      });
    }
    const mean = sum / count;
    inputs[name] = { low, high, mean, deviation: Math.sqrt(Math.max(squares / count - mean * mean, 0)) };
  }
  const notes = Object.entries(inputs).map(
    ([name, { low, high }]) => `${name}: ${low} … ${high}, read from ${taken} samples: nothing else tells its range`,
  );
  const seconds = (performance.now() - start) / 1000;
  return { inputs, report: { step: "input-ranges", edits: notes.length, seconds, notes } };
}

interface Seen {
  low: number;
  high: number;
  sum: number;
  squares: number;
  count: number;
}

function note(seen: Seen, value: number): void {
  if (value < seen.low) seen.low = value;
  if (value > seen.high) seen.high = value;
  seen.sum += value;
  seen.squares += value * value;
  seen.count++;
}
