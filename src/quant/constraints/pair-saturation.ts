/**
 * The trap of x86 processors without VNNI: the kernels of ONNX Runtime multiply uint8 activations by int8 weights with
 * `vpmaddubsw`, which adds two neighbouring products in 16 bits and saturates. 255 · (a + b) fits as long as |a + b| ≤ 128 for
 * weights of one sign. Scales that keep every pair below that cost half a bit where they bite; giving up a whole bit (−64 … 63)
 * or storing weights as uint8 (which halves the speed) is not needed. Measured in docs/onnx-runtime.md.
 */

import { isRefused, roundHalfEven } from "../../base/inner.ts";
import { initializerOf, type LayerAxes, productAt, weightAxes, weightOperand } from "../../facts/inner.ts";
import type { Model, Node, Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { isDepthwise } from "../facts.ts";
import type { Encoding } from "../grids/encoding.ts";
import { shortWeightScale } from "../grids/short-scale.ts";
import { type Plan, type PlanEntry, withEntries } from "../plan/plan.ts";
import type { PlanContext } from "./constraint.ts";

/** 255 · 128 = 32,640 fits into 16 signed bits, 255 · 129 = 32,895 does not. */
const largestPair = 128;

/** For each output channel the positions of its weights in the order in which a kernel adds their products, two by two. */
type Order = (channel: number) => Int32Array;

/**
 * The plan with the scales of entries marked `pairSafe` enlarged until no two neighbouring products can saturate. Frozen
 * entries stay: `saturatingPairs` counts what they risk.
 */
export function withPairSafeScales(plan: Plan, { model }: PlanContext): Plan {
  const values = model.graph.valuesByName();
  const changed = new Map<string, PlanEntry>();
  for (const entry of plan.entries) {
    const value = values.get(entry.value);
    const tensor = initializerOf(value);
    if (!entry.pairSafe || !entry.encoding || entry.frozen || !value || !tensor) continue;
    let { encoding } = entry;
    for (const one of pairLayouts(value)) encoding = pairSafe(tensor, encoding, one, entry.shortScale === true);
    if (encoding !== entry.encoding) changed.set(entry.value, { ...entry, encoding });
  }
  return withEntries(plan, changed);
}

/**
 * The least scale of every slice under which no pair saturates, for methods that search scales of an entry marked `pairSafe`:
 * they take the larger one. `encoding` says grid and granularity, `short` that scales have few significant bits.
 */
export function leastPairSafeScales(weight: Value, encoding: Encoding, short?: boolean): readonly number[] {
  const tensor = initializerOf(weight);
  // From a scale so small that every weight is clipped, the first step leads straight to where the pairs fit.
  let found: Encoding = { ...encoding, scale: encoding.scale.map((s) => s * 1e-3) };
  for (const one of tensor ? pairLayouts(weight) : []) found = pairSafe(tensor!, found, one, short);
  return found.scale;
}

/**
 * Rounded weights with the larger of two neighbours brought down where a method rounded a pair up beyond 128: by one or two
 * steps after a search that kept to `leastPairSafeScales`. Values on the encoding's grid in, values on the grid out.
 */
export function limitPairs(weight: Value, rounded: Tensor, encoding: Encoding): Tensor {
  if (encoding.granularity.kind === "block" || !encoding.symmetric) return rounded;
  const values = rounded.floats().slice();
  let edits = 0;
  for (const { channels, orders } of pairLayouts(weight)) {
    for (let channel = 0; channel < channels; channel++) {
      const scale = encoding.scale[encoding.scale.length === 1 ? 0 : channel % encoding.scale.length]!;
      for (const order of orders) edits += limitRow(values, order(channel), scale);
    }
  }
  return edits === 0 ? rounded : Tensor.float32(rounded.shape, values);
}

function limitRow(values: Float32Array, positions: Int32Array, scale: number): number {
  let edits = 0;
  for (let i = 0; i + 1 < positions.length; i += 2) {
    const [a, b] = [integerOf(values[positions[i]!]!, scale), integerOf(values[positions[i + 1]!]!, scale)];
    const excess = Math.abs(a + b) - largestPair;
    if (a * b <= 0 || excess <= 0) continue;
    const larger = Math.abs(a) >= Math.abs(b) ? a : b;
    values[positions[larger === a ? i : i + 1]!] = Math.fround(scale) * (larger - Math.sign(larger) * excess);
    edits++;
  }
  return edits;
}

export interface PairLayout {
  /** Output channels. */
  readonly channels: number;
  readonly orders: readonly Order[];
}

/** How each product that reads the weight adds; a depthwise convolution does not add pairs. */
export function pairLayouts(weight: Value): PairLayout[] {
  const shape = weight.initializer!.shape;
  return weight.consumers().flatMap((node) => {
    const layer = productAt(node);
    if (!layer || isRefused(layer) || isRefused(layer.axes) || layer.weight.value !== weight) return [];
    return isDepthwise(node, shape) ? [] : [layout(node, layer.axes, shape)];
  });
}

/**
 * Convolutions run channels last, so the input channels of one position are neighbours; where the layout is not changed, the
 * positions of one channel are. Both orders are kept safe. Products add along the input axis.
 */
function layout(node: Node, { out, in: summed }: LayerAxes, shape: readonly number[]): PairLayout {
  if (node.op === "Conv") {
    const [channels = 0, inputs = 0] = shape;
    const positions = shape.slice(2).reduce((product, length) => product * length, 1);
    const each = inputs * positions;
    const first: Order = (c) => {
      const order = new Int32Array(each);
      for (let position = 0, t = 0; position < positions; position++)
        for (let input = 0; input < inputs; input++, t++) order[t] = c * each + input * positions + position;
      return order;
    };
    const second: Order = (c) => evenly(each, c * each, 1);
    return { channels, orders: inputs === 1 || positions === 1 ? [second] : [first, second] };
  }
  const inputAxis = summed[0]!;
  const [rows, columns] = [shape[inputAxis]!, shape[out]!];
  const matrices = shape.slice(0, -2).reduce((product, length) => product * length, 1);
  const [along, across] = inputAxis < out ? [columns, 1] : [1, rows];
  // Leading axes of a batched product are further matrices, one after the other.
  const order: Order = (c) => evenly(rows, Math.floor(c / columns) * rows * columns + (c % columns) * across, along);
  return { channels: columns * matrices, orders: [order] };
}

function evenly(count: number, start: number, step: number): Int32Array {
  const order = new Int32Array(count);
  for (let t = 0; t < count; t++) order[t] = start + t * step;
  return order;
}

/** Enlarges each scale to the least that is safe; a scale per tensor follows its worst channel. */
function pairSafe(tensor: Tensor, encoding: Encoding, { channels, orders }: PairLayout, short?: boolean): Encoding {
  if (encoding.granularity.kind === "block" || !encoding.symmetric) return encoding;
  const weights = tensor.floats();
  const scale = [...encoding.scale];
  for (let channel = 0; channel < channels; channel++) {
    const slice = scale.length === 1 ? 0 : channel % scale.length;
    for (const order of orders) {
      const positions = order(channel);
      const largest = largestFloatSum(weights, positions);
      while (!isSafe(weights, positions, scale[slice]!, largest)) {
        // First what the float sums ask for, then small steps: rounding may push a pair one over.
        const next = Math.max(largest / largestPair, scale[slice]! * 1.002);
        scale[slice] = short ? shortWeightScale(next) : next;
      }
    }
  }
  return scale.some((s, i) => s !== encoding.scale[i]) ? { ...encoding, scale } : encoding;
}

/** The largest |a + b| of neighbouring weights of one sign. */
function largestFloatSum(weights: Float32Array, positions: Int32Array): number {
  let largest = 0;
  for (let i = 0; i + 1 < positions.length; i += 2) {
    const a = weights[positions[i]!]!;
    const b = weights[positions[i + 1]!]!;
    if (a * b > 0) largest = Math.max(largest, Math.abs(a + b));
  }
  return largest;
}

/** Whether |a + b| ≤ 128 for all neighbouring integers of one sign. `largest` is that of the floats. */
function isSafe(weights: Float32Array, positions: Int32Array, scale: number, largest: number): boolean {
  // Rounding adds half a step to each of two; the tenth is more than float32 can be off.
  if (largest / scale < largestPair - 1.1) return true;
  for (let i = 0; i + 1 < positions.length; i += 2) {
    const a = integerOf(weights[positions[i]!]!, scale);
    const b = integerOf(weights[positions[i + 1]!]!, scale);
    if (a * b > 0 && Math.abs(a + b) > largestPair) return false;
  }
  return true;
}

function integerOf(weight: number, scale: number): number {
  return Math.min(Math.max(roundHalfEven(Math.fround(weight / Math.fround(scale))), -128), 127);
}

export interface SaturationRisk {
  /** The node of the shipped file, as messages name it. */
  readonly node: string;
  /** Pairs of neighbouring weights whose products can exceed 16 bits together. */
  readonly pairs: number;
  /** The largest |a + b|; 128 is safe. */
  readonly largest: number;
}

/**
 * The layers of a shipped Q/DQ file that may saturate on x86 processors without VNNI: uint8 data, int8 weights, and a pair of
 * neighbours beyond 128. Whatever the machine, so that `verify` can warn on one that computes correctly.
 */
export function saturatingPairs(shipped: Model): SaturationRisk[] {
  const risks: SaturationRisk[] = [];
  for (const node of shipped.graph.nodes) {
    const weight = node.domain === "" && node.op !== "ConvTranspose" ? weightOperand(node)?.producer : undefined;
    const integers = weight?.op === "DequantizeLinear" ? initializerOf(weight.input(0)) : undefined;
    const data = node.input(0)?.producer;
    const point = data?.op === "DequantizeLinear" ? initializerOf(data.input(2)) : undefined;
    if (integers?.dtype !== "int8" || point?.dtype !== "uint8" || isDepthwise(node, integers.shape)) continue;
    const axes = weightAxes(node, integers.shape);
    if (isRefused(axes)) continue;
    const stored = Float32Array.from(integers.numbers());
    const { channels, orders } = layout(node, axes, integers.shape);
    let [pairs, largest] = [0, 0];
    for (let channel = 0; channel < channels; channel++) {
      const positions = orders[0]!(channel);
      for (let i = 0; i + 1 < positions.length; i += 2) {
        const [a, b] = [stored[positions[i]!]!, stored[positions[i + 1]!]!];
        if (a * b <= 0 || Math.abs(a + b) <= largestPair) continue;
        pairs++;
        largest = Math.max(largest, Math.abs(a + b));
      }
    }
    if (pairs > 0) risks.push({ node: `${node}`, pairs, largest });
  }
  return risks;
}
