/** Which share of a value's numbers a range cuts off, counted inside the graph. */
import { breathe, throwIfAborted, type Work } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import { addNode, check, cloneModel, type Graph, type Model, removeDead, tensorType, type Value } from "../ir/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { batchOf } from "./evaluate.ts";

/** Numbers below `min` or above `max` count as cut off. */
export interface ValueRange {
  readonly value: string;
  readonly min: number;
  readonly max: number;
}

export interface ClippingOptions extends Work {
  readonly batch?: number;
  readonly threads?: number;
}

/** The share of cut off numbers of every range's value, over all samples; names that the model does not have are passed over. */
export async function clippedShares(
  model: Model,
  ranges: readonly ValueRange[],
  runtime: Runtime,
  data: Dataset,
  options: ClippingOptions = {},
): Promise<Map<string, number>> {
  const copy = cloneModel(model);
  const values = copy.graph.valuesByName();
  const known = ranges.filter(({ value }) => values.has(value));
  if (known.length === 0) return new Map();
  countInGraph(copy.graph, known, values);
  check(copy, "after adding counts of clipped numbers");
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  await using session = await runtime.open(copy, threads);
  const counts = new Float64Array(known.length * 2);
  for await (const batch of data.batches(batchOf(session, options.batch ?? 8, data), options.signal)) {
    throwIfAborted(options);
    const { "avocet:clipped": part } = await session.run(batch.feeds);
    part!.floats().forEach((count, i) => {
      counts[i] = counts[i]! + count;
    });
    await breathe();
  }
  return new Map(known.map(({ value }, i) => [value, counts[2 * i]! / Math.max(counts[2 * i + 1]!, 1)]));
}

/** The only output becomes [2 · ranges]: numbers outside, and numbers in all. */
function countInGraph(graph: Graph, ranges: readonly ValueRange[], values: ReadonlyMap<string, Value>): void {
  const one = graph.addInitializer("avocet:one", Tensor.int64([1], [1]));
  const asVector = (scalar: Value) => addNode(graph, "Reshape", [scalar, one]).output;
  const counts = ranges.flatMap(({ value, min, max }) => {
    const x = values.get(value)!;
    const low = graph.addInitializer("avocet:low", Tensor.float32([], [min]));
    const high = graph.addInitializer("avocet:high", Tensor.float32([], [max]));
    const below = addNode(graph, "Less", [x, low]).output;
    const outside = addNode(graph, "Or", [below, addNode(graph, "Greater", [x, high]).output]).output;
    // Sums of ones are exact in float32 up to 2^24 numbers a run.
    const ones = addNode(graph, "Cast", [outside], { to: 1 }).output;
    const size = addNode(graph, "Cast", [addNode(graph, "Size", [x]).output], { to: 1 }).output;
    return [asVector(addNode(graph, "ReduceSum", [ones], { keepdims: 0 }).output), asVector(size)];
  });
  const all = addNode(graph, "Concat", counts, { axis: 0 }, { output: "avocet:clipped" }).output;
  all.type = tensorType("float32", [counts.length]);
  graph.setOutputs([all]);
  removeDead(graph);
}
