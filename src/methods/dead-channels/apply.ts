/**
 * Channels that can only be constant: batch norms of pruned or saturated nets leave rows of weights near 1e-12, and large
 * weights in the readers that mean nothing and ruin a grid that they share with others. A constant channel leaves its
 * reader (its weights there become 0, what it contributed goes into the bias), and its own weights become 0.
 *
 * All of it is exact: where a padded convolution sees a constant other than zero the border would change, so it is left.
 */

import { isRefused, throwIfAborted } from "../../base/inner.ts";
import { channelsOf, clipBounds, isOp, onlyReader } from "../../facts/inner.ts";
import { check, cloneModel, type Graph, type Model, type Node, type Value } from "../../ir/inner.ts";
import {
  type EditableLayer,
  editableProduct,
  moveBatchNormStatistics,
  scaleInput,
  scaleOutput,
  wholeLayer,
} from "../../passes/inner.ts";
import { elementsOf } from "../../tensor/inner.ts";
import type { PreparationContext, Prepared } from "../method.ts";
import { shapesFor } from "../shapes.ts";
import type { Bounds } from "./bounds.ts";
import { boundsOf } from "./intervals.ts";
import { inputIntervals, seesPadding } from "./layer-bounds.ts";
import { constants } from "./math.ts";

/** Removes what constant channels do to weights; the function of the model stays. The given model is not changed. */
export async function removeDeadChannels(model: Model, context: PreparationContext): Promise<Prepared> {
  const start = performance.now();
  const copy = cloneModel(model);
  const shapes = await shapesFor(copy, context);
  throwIfAborted(context);
  const bounds = boundsOf(copy.graph, shapes);
  const notes: string[] = [];
  let edits = 0;
  for (const node of layersOf(copy.graph)) {
    const layer = layerAt(node);
    if (layer) edits += releaseInputs(layer, bounds, notes);
  }
  // The readers first: a row may only become zero when what it stood for has left them.
  for (const node of layersOf(copy.graph)) {
    const layer = layerAt(node);
    if (layer) edits += clearOutputs(layer, bounds, notes);
  }
  if (edits > 0) check(copy, "after removing dead channels");
  if (edits === 0) notes.push("no channel is provably constant");
  return {
    model: copy,
    report: { step: "dead-channels", edits, seconds: (performance.now() - start) / 1000, notes },
  };
}

function layersOf(graph: Graph): Node[] {
  return [...graph.nodes].filter((node) => isOp(node, "Conv", "ConvTranspose", "Gemm", "MatMul"));
}

/** Its layer, where it reads what it is given as it is. */
function layerAt(node: Node): EditableLayer | undefined {
  const layer = wholeLayer(node);
  const transposes = isOp(node, "Gemm") && node.int("transA", 0) !== 0;
  return layer && !isRefused(layer) && !transposes ? layer : undefined;
}

/** Takes constant input channels out of a layer. */
function releaseInputs(layer: EditableLayer, bounds: ReadonlyMap<Value, Bounds>, notes: string[]): number {
  const of = bounds.get(layer.node.input(0)!);
  const intervals = of ? inputIntervals(layer, of) : undefined;
  if (!intervals) return 0;
  const constant = constants(intervals);
  const size = inputMagnitudes(layer);
  const padded = seesPadding(layer);
  const found = [...constant.keys()].filter((c) => !Number.isNaN(constant[c]!) && size[c]! > 0);
  const released = found.filter((c) => constant[c] === 0 || !padded);
  const kept = found.length - released.length;
  if (kept > 0) {
    notes.push(
      `${layer.node}: ${kept} constant channels stay: its borders see zeros of a padding in the place of the constant`,
    );
  }
  if (released.length === 0) return 0;
  const gone = new Set(released);
  const others = size.filter((_, c) => !gone.has(c)).sort();
  scaleInput(layer, {
    scale: Array.from(constant, (_, c) => (gone.has(c) ? 0 : 1)),
    shift: Array.from(constant, (k, c) => (gone.has(c) ? k : 0)),
  });
  const largest = released.reduce((most, c) => Math.max(most, size[c]!), 0);
  notes.push(
    `${layer.node}: ${released.length} of ${layer.axes.inputs} input channels are constant and left its weights ` +
      `(up to ${short(largest)}, where the median channel has ${short(others[others.length >> 1] ?? 0)})`,
  );
  return released.length;
}

/** Makes rows zero whose result nobody needs: only a constant comes of them, or no reader looks at it any more. */
function clearOutputs(layer: EditableLayer, bounds: ReadonlyMap<Value, Bounds>, notes: string[]): number {
  const { result } = layer;
  const reader = onlyReader(result);
  const rows = outputMagnitudes(layer);
  const unread = unreadChannels(result, layer.axes.outputs);
  const own = bounds.get(result);
  const constant =
    own && own.axis !== null ? constants(own.each) : new Float64Array(layer.axes.outputs).fill(Number.NaN);
  const cut = isOp(reader, "Relu") || (isOp(reader, "Clip") && clipBounds(reader)?.min === 0);
  const become = Array.from(rows, (size, c) => {
    if (unread[c]) return 0;
    if (cut && own && own.axis !== null && own.each.hi[c]! <= 0) return 0;
    return size > 0 ? constant[c]! : Number.NaN;
  });
  const cleared = become.flatMap((k, c) => (!Number.isNaN(k) && (rows[c]! > 0 || k === 0) ? [c] : []));
  const changed = cleared.filter((c) => rows[c]! > 0);
  if (cleared.length === 0) return 0;
  const gone = new Set(cleared);
  const affine = {
    scale: become.map((_, c) => (gone.has(c) ? 0 : 1)),
    shift: become.map((k, c) => (gone.has(c) ? k : 0)),
  };
  moveBatchNormStatistics(scaleOutput(layer, affine), affine);
  if (changed.length > 0)
    notes.push(`${layer.node}: ${changed.length} of ${layer.axes.outputs} output channels are constant or unread`);
  return changed.length;
}

/** Channels that reach only layers whose weights for them are all zero. */
function unreadChannels(value: Value, count: number): boolean[] {
  const all = (answer: boolean) => Array.from({ length: count }, () => answer);
  if (value.isGraphOutput || value.useCount === 0) return all(false);
  const readers = value.consumers().map((node) => {
    if (node.graph !== value.graph) return all(false);
    if (passesChannels(node) && node.input(0) === value) return unreadChannels(node.output, count);
    const layer = node.input(0) === value ? editableProduct(node) : undefined;
    if (!layer || isRefused(layer) || layer.axes.inputs !== count || !isOp(node, "Conv", "ConvTranspose"))
      return all(false);
    return Array.from(inputMagnitudes(layer), (size) => size === 0);
  });
  return readers.reduce((a, b) => a.map((unread, c) => unread && b[c]!));
}

/** Operators of one number, or of one channel: a channel in, the same channel out. */
function passesChannels(node: Node): boolean {
  return isOp(
    node,
    "Relu",
    "Clip",
    "LeakyRelu",
    "Sigmoid",
    "Tanh",
    "HardSwish",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
  );
}

function inputMagnitudes(layer: EditableLayer): Float64Array {
  return magnitudes(layer, layer.axes.inputs, channelsOf(layer).input);
}

function outputMagnitudes(layer: EditableLayer): Float64Array {
  return magnitudes(layer, layer.axes.outputs, channelsOf(layer).output);
}

/** The largest weight of each channel. */
function magnitudes({ weight }: EditableLayer, count: number, channel: (i: number) => number): Float64Array {
  const found = new Float64Array(count);
  const elements = elementsOf(weight.tensor);
  for (let i = 0; i < elements.length; i++) found[channel(i)] = Math.max(found[channel(i)]!, Math.abs(elements[i]!));
  return found;
}

const short = (x: number): string => `${Number(x.toPrecision(3))}`;
