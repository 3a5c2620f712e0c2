/**
 * Cross-layer equalization on a graph: scales every channel that may be scaled so that its weights have equal ranges where
 * they are computed and where they are read. The function of the model stays, up to rounding; only a Clip whose bound the
 * data never reaches may lose it, which the notes say.
 */
import { throwIfAborted } from "../../base/index.ts";
import { check, cloneModel, type Model, type TensorType, type Value } from "../../ir/index.ts";
import {
  bareLayer,
  channelsOf,
  elementsOf,
  floatConstant,
  floatTensor,
  isRefused,
  moveBatchNormStatistics,
  replaceConstant,
  scaleInput,
  scaleOutput,
} from "../../passes/index.ts";
import { clipBounds } from "../clip-bounds.ts";
import type { PreparationContext, Prepared } from "../method.ts";
import { shapesFor } from "../shapes.ts";
import { broadcastDims, expand, padRank } from "./layout.ts";
import { equalizingScales, type LayerStrengths, type SweepOptions } from "./math.ts";
import { hasOneScale, observedMaxima, rescaleClip } from "./rescale-clips.ts";
import { type Trace, type TracedConstant, type TracedLayer, traceGroups } from "./trace-groups.ts";

/**
 * Equalizes a normalised model (batch norms folded). The given model is not changed. Pairs, depthwise triples and chains;
 * through Relu, LeakyRelu, PRelu, Clip, pooling, padding with zeros and data movement; residual additions and
 * concatenations share scales over all their layers.
 */
export async function equalizeLayers(
  model: Model,
  context: PreparationContext,
  options: SweepOptions = {},
): Promise<Prepared> {
  const start = performance.now();
  const copy = cloneModel(model);
  const shapes = await shapesFor(copy, context);
  throwIfAborted(context);
  const trace = traceGroups(copy.graph, (value) => lengthsOf(value, shapes));
  const { scale, sweeps } = equalizingScales(strengthsOf(trace), trace.groups.count, options);
  const scaleOf = (id: number) => scale[trace.groups.root(id)]!;
  const notes = [...trace.skipped];
  // The maxima are those before scaling: they are observed before the first edit.
  const bounded = trace.clips.filter((clip) => !hasOneScale(clip, scaleOf));
  const inputs = bounded.map(({ node }) => node.input(0)!);
  const seen = context.data ? await observedMaxima(copy, inputs, context.data, context) : new Map<string, number>();
  throwIfAborted(context);
  const edits = trace.layers.reduce((count, layer) => count + scaleLayer(layer, scaleOf), 0);
  for (const constant of trace.constants) divideConstant(constant, scaleOf);
  for (const clip of trace.clips) {
    const { node, layout } = clip;
    if (layout.ids.every((id) => scaleOf(id) === 1)) continue;
    const { max } = clipBounds(node)!;
    const most = seen.get(node.input(0)!.name);
    const became = rescaleClip(clip, scaleOf, shapes, most);
    if (became === "relu")
      notes.push(`${node}: a plain Relu, because its input never reaches ${max} on the data (at most ${short(most!)})`);
    if (became === "bounded") notes.push(`${node}: bounded per channel`);
  }
  if (edits > 0) check(copy, "after equalizing layers");
  notes.unshift(summary(trace, scale, edits, sweeps));
  return {
    model: copy,
    report: { step: "cross-layer-equalization", edits, seconds: (performance.now() - start) / 1000, notes },
  };
}

function lengthsOf(value: Value | null, shapes: ReadonlyMap<string, TensorType>): readonly number[] | undefined {
  if (value?.initializer) return value.initializer.shape;
  const shape = value ? shapes.get(value.name)?.shape : undefined;
  return shape?.every((d) => typeof d === "number") ? (shape as readonly number[]) : undefined;
}

function strengthsOf({ layers, groups }: Trace): LayerStrengths[] {
  return layers.map(({ layer, inputs, outputs }) => {
    const { output, input } = channelsOf(layer);
    const elements = elementsOf(layer.weight);
    // Every weight is [channels, channels, kernel…].
    const kernel = layer.weight.shape.slice(2).reduce((a, b) => a * b, 1);
    const largest = new Float64Array(elements.length / kernel);
    for (let i = 0; i < elements.length; i++) {
      const pair = Math.floor(i / kernel);
      largest[pair] = Math.max(largest[pair]!, Math.abs(elements[i]!));
    }
    return {
      largest,
      output: Int32Array.from(largest, (_, pair) => groups.root(outputs[output(pair * kernel)]!)),
      input: Int32Array.from(largest, (_, pair) => groups.root(inputs[input(pair * kernel)]!)),
    };
  });
}

/** Divides what a layer computes and multiplies what it reads. Returns 1 if that changed it. */
function scaleLayer({ layer, inputs, outputs }: TracedLayer, scaleOf: (id: number) => number): number {
  const { node } = layer;
  const divided = Array.from(outputs, (id) => 1 / scaleOf(id));
  const multiplied = Array.from(inputs, scaleOf);
  const isChanged = (scales: readonly number[]) => scales.some((s) => s !== 1);
  if (isChanged(divided)) {
    const affine = { scale: divided, shift: divided.map(() => 0) };
    moveBatchNormStatistics(scaleOutput(layer, affine), affine);
  }
  if (isChanged(multiplied)) {
    const now = bareLayer(node);
    if (now && !isRefused(now)) scaleInput(now, { scale: multiplied, shift: multiplied.map(() => 0) });
  }
  return isChanged(divided) || isChanged(multiplied) ? 1 : 0;
}

/** A constant that is added to scaled channels, or compared with them. */
function divideConstant({ node, index, layout }: TracedConstant, scaleOf: (id: number) => number): void {
  if (layout.ids.every((id) => scaleOf(id) === 1)) return;
  const constant = floatConstant(node.input(index))!;
  const rank = Math.max(constant.shape.length, layout.dims.length);
  const dims = broadcastDims(constant.shape, layout.dims);
  const ids = expand(padRank(layout, rank), dims)!.ids;
  const places = Int32Array.from({ length: constant.size }, (_, i) => i);
  const source = expand(padRank({ dims: constant.shape, ids: places }, rank), dims)!.ids;
  const old = elementsOf(constant);
  const tensor = floatTensor(constant.dtype, dims, (i) => old[source[i]!]! / scaleOf(ids[i]!));
  replaceConstant(node.graph!, node, index, tensor, `${node.output.name}.constant`);
  const affine = alongLastOrChannel(layout, scaleOf);
  if (affine) moveBatchNormStatistics(node.output, affine);
}

/** The scales as an affine map per channel, where the layout changes along one axis only. */
function alongLastOrChannel({ dims, ids }: TracedConstant["layout"], scaleOf: (id: number) => number) {
  if (dims.filter((d) => d !== 1).length > 1) return undefined;
  return { scale: Array.from(ids, (id) => 1 / scaleOf(id)), shift: Array.from(ids, () => 0) };
}

function summary({ groups, layers }: Trace, scale: Float64Array, edits: number, sweeps: number): string {
  if (edits === 0) return "no channel may be scaled: what lies between the layers fixes it";
  const roots = new Set(layers.flatMap(({ outputs }) => Array.from(outputs, (id) => groups.root(id))));
  const moved = [...roots].map((id) => scale[id]!).filter((s) => s !== 1);
  const [low, high] = [moved.reduce((a, b) => Math.min(a, b), Infinity), moved.reduce((a, b) => Math.max(a, b), 0)];
  return `${edits} of ${layers.length} layers, ${moved.length} scales from ${short(low)} to ${short(high)}, ${sweeps} sweeps`;
}

const short = (x: number): string => `${Number(x.toPrecision(3))}`;
