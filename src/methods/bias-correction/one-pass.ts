/**
 * The shifts of all layers in one pass. Layer by layer, a batch's mean output in the quantized model is moved to what the float model's is,
 * inside the graph, before the next layer reads it: each batch corrects itself in the order of the network, as the walk of
 * empirical correction does for all data, and the mean over batches is what the biases get.
 *
 * To first order the two agree: a layer's mean shift is linear in that of its inputs, and behind corrected layers none is left. What a batch
 * corrects beyond the mean of all data averages out over batches.
 */
import { AvocetError, throwIfAborted } from "../../base/inner.ts";
import { type Dataset, samples as takeSamples } from "../../data/inner.ts";
import type { MatrixLayer } from "../../facts/inner.ts";
import { addNode, type Graph, type Model, type Node, tensorType, type Value } from "../../ir/inner.ts";
import {
  alongAxis,
  batchForBytes,
  feedsFor,
  firstSample,
  fixedBatch,
  openTaps,
  pacer,
  type Reduction,
  type Session,
} from "../../runtime/inner.ts";
import { type Feeds, type Shape, sizeOf, Tensor } from "../../tensor/inner.ts";
import type { PreparationContext } from "../method.ts";
import { shapesFor } from "../shapes.ts";

/** A step's context, with data. */
export interface MeasuringContext extends PreparationContext {
  readonly data: Dataset;
  readonly threads?: number | undefined;
}

/** A layer in the float model, and its node in a lowered one. */
export interface Twins {
  readonly layer: MatrixLayer;
  readonly quantizedNode: Node;
}

/** Samples whose means tell those of all (docs/methods/bias-correction.md). */
const enough = 64;
/** Bytes of the largest value in one run; some such values live at once. */
const largestBytes = 48 * 2 ** 20;

/**
 * What each layer's bias must be moved by, [channels], in the order of the layers. `quantized` is edited: its layers give corrected
 * outputs afterwards. Throws `data/none` without samples.
 */
export async function shiftsInOnePass(
  float: Model,
  quantized: Model,
  layers: readonly Twins[],
  context: MeasuringContext,
): Promise<Float64Array[]> {
  const { data, runtime, signal, onProgress, threads } = context;
  const session = { fuseQdq: false, ...(threads ? { threads } : {}) };
  const names = layers.map(({ layer }) => layer.node.output.name);
  const reductions = new Map(layers.map(({ layer }, i) => [names[i]!, meanOf(layer)] as const));
  await using taps = await openTaps(float, runtime, { reductions, session });
  const { graph } = quantized;
  const outputs = graph.outputs;
  const corrections = layers.map((twins, i) => correct(graph, twins, i, quantized.opset));
  graph.setOutputs(corrections.map(({ shift }) => shift));
  await using corrected: Session = await runtime.open(quantized, session);
  graph.setOutputs(outputs);
  const sums = layers.map(({ layer }) => new Float64Array(layer.axes.outputs));
  const batch = fixedBatch(float, data.axes) ?? context.batch ?? (await batchOf(float, context));
  const pause = pacer();
  let samples = 0;
  for await (const { feeds, size, reduced } of taps.stream(spread(data), { batch, signal })) {
    throwIfAborted(context);
    const means = Object.fromEntries(corrections.map(({ mean }, i) => [mean.name, reduced.get(names[i]!)![0]!]));
    const found = await corrected.run(feedsFor(quantized, feeds, means));
    for (const [i, { shift }] of corrections.entries()) {
      const [sum, part] = [sums[i]!, found[shift.name]!.floats()];
      for (let c = 0; c < sum.length; c++) sum[c]! += size * part[c]!;
    }
    samples += size;
    onProgress?.({ step: "bias-correction", done: samples, total: Math.min(enough, data.count ?? enough) });
    await pause();
    if (samples >= enough) break;
  }
  if (samples === 0) throw new AvocetError("data/none", "expected at least one sample, got none", { at: data.source });
  return sums.map((sum) => sum.map((shift) => shift / samples));
}

/** Samples from all over the data: neighbours in a recording are alike. */
function spread(data: Dataset): Dataset {
  const apart = Math.floor((data.count ?? 0) / enough);
  return apart > 1 ? takeSamples(data, `every:${apart}`) : data;
}

/** The mean of each output channel, [channels]. */
function meanOf(layer: MatrixLayer): Reduction {
  const { node, axes, weight } = layer;
  if (node.op.startsWith("Conv")) return alongAxis(1, weight.tensor.shape.length, "ReduceMean");
  return (graph, value, opset) => {
    const shape = graph.addInitializer(`${value.name}:rows`, Tensor.int64([2], [-1, axes.outputs]));
    const rows = addNode(graph, "Reshape", [value, shape], {}, { output: `${value.name}:rows` }).output;
    return alongAxis(1, 2, "ReduceMean")(graph, rows, opset);
  };
}

/** Puts the difference to the given means on a layer's output; the input that takes them, and the difference. */
function correct(
  graph: Graph,
  { layer, quantizedNode }: Twins,
  index: number,
  opset: number,
): { mean: Value; shift: Value } {
  const channels = layer.axes.outputs;
  const { output } = quantizedNode;
  const readers = [...output.consumers()];
  const nodes = graph.nodeCount;
  const mean = graph.addInput(`float_mean_${index}`, tensorType("float32", [channels]));
  const [own] = meanOf(layer)(graph, output, opset);
  const shift = addNode(graph, "Sub", [mean, own!], {}, { output: `shift_${index}` }).output;
  const isKernel = layer.node.op.startsWith("Conv");
  const shape = isKernel ? [1, channels, ...layer.weight.tensor.shape.slice(2).map(() => 1)] : [channels];
  const target = graph.addInitializer(`shift_${index}_shape`, Tensor.int64([shape.length], shape));
  const spread = addNode(graph, "Reshape", [shift, target], {}, { output: `shift_${index}_spread` }).output;
  const sum = addNode(graph, "Add", [output, spread], {}, { output: `corrected_${index}` }).output;
  // Before what reads them.
  let last = quantizedNode;
  for (const node of [...graph.nodes].slice(nodes)) {
    graph.move(node, { after: last });
    last = node;
  }
  for (const reader of readers) {
    reader.inputs.forEach((input, i) => {
      if (input === output) graph.setInput(reader, i, sum);
    });
  }
  return { mean, shift };
}

/** Eight samples, or as many as the largest value has room for. */
async function batchOf(model: Model, context: MeasuringContext): Promise<number> {
  const shapes = await shapesFor(model, context);
  const bytes = [...model.graph.values()].map(({ name, initializer }) =>
    initializer ? 0 : 4 * sizeOf((shapes.get(name)?.shape ?? [0]) as Shape),
  );
  const sample: Feeds = await firstSample(context.data, context.signal);
  return batchForBytes(model, sample, Math.max(...bytes), largestBytes);
}
