/**
 * Where integer kernels and simulation part: every layer of a Q/DQ model is run by itself on the same integers, once
 * in a stock session and once simulated, so that a difference belongs to one layer and does not add up.
 */
import { breathe, throwIfAborted, type Work } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import { check, cloneModel, type Model, removeDead, staticShape, tensorType, type Value } from "../ir/inner.ts";
import { type Runtime, type SessionOptions, simulationOf } from "../runtime/inner.ts";
import type { DType, Feeds, Tensor } from "../tensor/inner.ts";
import { batchOf } from "./evaluate.ts";

export interface LayerDifference {
  /** Name of the quantized value the layer computes. */
  readonly value: string;
  /** The operator that computes it, for example "Conv features.3". */
  readonly layer: string;
  /** Share of its integers that differ. */
  readonly differing: number;
  /** The largest difference, in steps of its grid. */
  readonly maxSteps: number;
}

export interface LayerDifferenceOptions extends Work {
  readonly samples?: number;
  readonly threads?: number;
}

/** Every quantized value whose integers differ between optimised and plain execution, the worst first. */
export async function layerDifferences(
  shipped: Model,
  runtime: Runtime,
  data: Dataset,
  options: LayerDifferenceOptions = {},
): Promise<LayerDifference[]> {
  const { samples = 2 } = options;
  const threads = options.threads === undefined ? {} : { threads: options.threads };
  // Nothing on integers that could differ: weights alone are quantized, or activations are on a float grid.
  if (quantizedValues(shipped).next().done) return [];
  const probe = withQuantizedOutputs(shipped);
  const apart = layersApart(shipped);
  const needed = new Set(apart.graph.inputs.map((v) => v.name));
  const open = (model: Model, settings: SessionOptions) => runtime.open(model, { ...settings, ...threads });
  // One session at a time: of a large model several would not fit, and a few samples of its values do.
  const given: Feeds[] = [];
  {
    await using whole = await open(probe, simulationOf(probe));
    let done = 0;
    for await (const batch of data.batches(batchOf(whole, 1, data), options.signal)) {
      if (done >= samples) break;
      throwIfAborted(options);
      const seen = Object.entries(await whole.run(batch.feeds)).map(
        ([name, tensor]) => [inputOf(name), tensor] as const,
      );
      given.push(Object.fromEntries([...seen, ...Object.entries(batch.feeds)].filter(([name]) => needed.has(name))));
      done += batch.size;
      await breathe();
    }
  }
  const stock: Feeds[] = [];
  {
    await using fused = await open(apart, { optimization: "full" });
    for (const feeds of given) stock.push(await fused.run(feeds));
  }
  const counts = new Map<string, { differing: number; total: number; maxSteps: number }>();
  await using plain = await open(apart, simulationOf(apart));
  for (const [i, feeds] of given.entries()) {
    throwIfAborted(options);
    const simulated = await plain.run(feeds);
    for (const name of Object.keys(simulated)) note(counts, name, stock[i]![name]!, simulated[name]!);
    options.onProgress?.({ step: "compare layers", done: i + 1, total: given.length });
    await breathe();
  }
  const layers = new Map([...quantizedValues(shipped)].map((v) => [v.name, layerOf(v)]));
  return [...counts]
    .filter(([, c]) => c.differing > 0)
    .map(([value, c]) => ({
      value,
      layer: layers.get(value) ?? value,
      differing: c.differing / c.total,
      maxSteps: c.maxSteps,
    }))
    .sort((x, y) => y.maxSteps - x.maxSteps || y.differing - x.differing);
}

/** The integer outputs of QuantizeLinear that may cross the door (4-bit outputs abort the process). */
function* quantizedValues(model: Model): Generator<Value> {
  for (const node of model.graph.nodes) {
    if (node.op !== "QuantizeLinear" || node.domain !== "") continue;
    if (["int8", "uint8", "int16", "uint16"].includes(integerType(node.input(2)))) yield node.output;
  }
}

function integerType(zeroPoint: Value | null): DType {
  return zeroPoint?.initializer?.dtype ?? "uint8";
}

/** The name under which a quantized value is fed back in. */
function inputOf(name: string): string {
  return `${name}:given`;
}

function withQuantizedOutputs(shipped: Model): Model {
  const model = cloneModel(shipped);
  const values = [...quantizedValues(model)];
  for (const value of values) value.type = tensorType(integerType(value.producer!.input(2)), typedShape(value));
  model.graph.setOutputs(values);
  removeDead(model.graph);
  return model;
}

/** The model cut at every quantized value: each becomes an output, and its readers read an input instead. */
function layersApart(shipped: Model): Model {
  const model = cloneModel(shipped);
  const { graph } = model;
  const values = [...quantizedValues(model)];
  graph.setOutputs([]);
  for (const value of values) {
    const type = tensorType(integerType(value.producer!.input(2)), typedShape(value));
    value.type = type;
    if (value.useCount === 0) continue;
    graph.replaceUses(value, graph.addInput(inputOf(value.name), type));
  }
  graph.setOutputs(values);
  removeDead(graph);
  for (const input of [...graph.inputs]) if (input.useCount === 0) graph.removeInput(input);
  check(model, "after cutting the layers apart");
  return model;
}

function typedShape(value: Value) {
  const source = value.producer?.input(0);
  return staticShape(source?.type) ?? (source?.type?.kind === "tensor" ? source.type.shape : null);
}

/** The operator before the QuantizeLinear, past activations that fuse into it. */
function layerOf(value: Value): string {
  let node = value.producer?.input(0)?.producer ?? null;
  while (node && ["Relu", "Clip", "Min", "Max"].includes(node.op) && node.input(0)?.producer)
    node = node.input(0)!.producer;
  return node ? `${node}` : `input ${value.producer?.input(0)?.name ?? value.name}`;
}

function note(
  counts: Map<string, { differing: number; total: number; maxSteps: number }>,
  name: string,
  a: Tensor,
  b: Tensor,
): void {
  const entry = counts.get(name) ?? { differing: 0, total: 0, maxSteps: 0 };
  const left = a.data as Uint8Array;
  const right = b.data as Uint8Array;
  for (let i = 0; i < right.length; i++) {
    const steps = Math.abs(left[i]! - right[i]!);
    if (steps === 0) continue;
    entry.differing++;
    if (steps > entry.maxSteps) entry.maxSteps = steps;
  }
  entry.total += right.length;
  counts.set(name, entry);
}
