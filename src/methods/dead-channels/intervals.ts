/**
 * Bounds of every value of a graph, channel by channel, from the weights alone. Graph inputs are taken to lie within
 * ±1e6, far beyond pixels, samples and features; everything that is not understood is unbounded.
 */

import { isRefused } from "../../base/inner.ts";
import { channelsOf, clipBounds, constantInts, floatConstant, isOp, rankOf, shapeOf } from "../../facts/inner.ts";
import type { Graph, Node, TensorType, Value } from "../../ir/inner.ts";
import { addedBy, rowOf } from "../../ops/inner.ts";
import { biasesOf, type EditableLayer, editableProduct } from "../../passes/inner.ts";
import { elementsOf } from "../../tensor/inner.ts";
import { hull, type Intervals, linear, overall, product, rising, sum, uniform } from "./math.ts";

/** Bounds along one axis; all channels alike where the axis is null (then there is one interval). */
export interface Bounds {
  readonly axis: number | null;
  readonly each: Intervals;
}

const inputBound = 1e6;
const anything: Bounds = { axis: null, each: uniform(1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY) };

/** The bounds of all computed values and inputs of a graph. */
export function boundsOf(graph: Graph, shapes: ReadonlyMap<string, TensorType>): Map<Value, Bounds> {
  const found = new Map<Value, Bounds>();
  for (const input of graph.inputs) {
    found.set(input, { axis: null, each: uniform(1, -inputBound, inputBound) });
  }
  const walk = new BoundsWalk(found, shapes);
  for (const node of graph.nodes) {
    node.outputs.forEach((output, index) => {
      if (output.name !== "") found.set(output, walk.output(node, index));
    });
  }
  return found;
}

/** The intervals of the input channels of a layer, or undefined where its channels are not on the axis of the bounds. */
export function inputIntervals(layer: EditableLayer, bounds: Bounds): Intervals | undefined {
  if (bounds.axis === null) return spread(bounds, layer.axes.inputs);
  const axis = isOp(layer.node, "MatMul") ? (rankOf(layer.node.input(0)) ?? 0) - 1 : 1;
  const length = bounds.each.lo.length;
  return bounds.axis === axis && length === layer.axes.inputs ? bounds.each : undefined;
}

/** Whether some of the layer's products see zeros of a padding, or nothing, in the place of its input. */
export function seesPadding({ node }: EditableLayer): boolean {
  // A transposed convolution sums fewer products at its borders and between strides.
  if (isOp(node, "ConvTranspose")) return true;
  if (!isOp(node, "Conv")) return false;
  return !["NOTSET", "VALID"].includes(node.string("auto_pad", "NOTSET")) || node.ints("pads", []).some((p) => p !== 0);
}

function spread({ each }: Bounds, count: number): Intervals {
  return uniform(count, each.lo[0]!, each.hi[0]!);
}

function zeroToo(each: Intervals): Intervals {
  return hull(each, uniform(each.lo.length, 0, 0));
}

class BoundsWalk {
  readonly #found: ReadonlyMap<Value, Bounds>;
  readonly #shapes: ReadonlyMap<string, TensorType>;

  constructor(found: ReadonlyMap<Value, Bounds>, shapes: ReadonlyMap<string, TensorType>) {
    this.#found = found;
    this.#shapes = shapes;
  }

  output(node: Node, index: number): Bounds {
    if (node.domain !== "") return anything;
    const layer = editableProduct(node);
    if (layer) return isRefused(layer) ? anything : this.#linear(layer);
    const activation = this.#activation(node);
    if (activation) return activation;
    switch (node.op) {
      case "Add":
        return this.#both(node, sum);
      case "Sub":
        return this.#both(node, (a, b) => sum(a, { lo: b.hi.map((x) => -x), hi: b.lo.map((x) => -x) }));
      case "Mul":
        return this.#both(node, product);
      case "Concat":
        return this.#concat(node);
      case "AveragePool":
      case "GlobalAveragePool":
      case "GlobalMaxPool":
        return node.int("count_include_pad", 0) === 0 ? this.#of(node.input(0)) : this.#padded(node);
      case "Pad":
        return this.#pad(node);
      case "Softmax":
        return { axis: null, each: uniform(1, 0, 1) };
      case "Flatten":
      case "Reshape":
      case "Squeeze":
        return this.#flat(node);
      default:
        return index === 0 || node.op === "Split" ? this.#moved(node) : anything;
    }
  }

  #of(value: Value | null): Bounds {
    return (value && this.#found.get(value)) || anything;
  }

  #linear(layer: EditableLayer): Bounds {
    const { node } = layer;
    const rank = rankOf(node.input(0)) ?? shapeOf(node.input(0), this.#shapes)?.length;
    const axis = isOp(node, "MatMul") ? (rank ?? 0) - 1 : 1;
    const of = this.#of(node.input(0));
    const given = inputIntervals(layer, of) ?? spread({ axis: null, each: single(of) }, layer.axes.inputs);
    const isTransposed = isOp(node, "Gemm") && node.int("transA", 0) !== 0;
    const x = isTransposed ? spread({ axis: null, each: single(of) }, layer.axes.inputs) : given;
    const alpha = isOp(node, "Gemm") ? node.float("alpha", 1) : 1;
    const beta = isOp(node, "Gemm") ? node.float("beta", 1) : 1;
    const bias = biasesOf(layer).map((b) => b * beta);
    const each = linear(
      elementsOf(layer.weight.tensor),
      channelsOf(layer),
      bias,
      seesPadding(layer) ? zeroToo(x) : x,
      alpha,
    );
    return axis < 0 ? { axis: null, each: single({ axis, each }) } : { axis, each };
  }

  /** Functions of one number that never fall, and some that are bounded anyway. */
  #activation(node: Node): Bounds | undefined {
    const x = this.#of(node.input(0));
    const map = (f: (v: number, channel: number) => number): Bounds => ({ axis: x.axis, each: rising(x.each, f) });
    switch (node.op) {
      case "Relu":
        return map((v) => Math.max(0, v));
      case "LeakyRelu": {
        const alpha = node.float("alpha", 0.01);
        return alpha < 0 ? anything : map((v) => (v < 0 && alpha > 0 ? alpha * v : Math.max(0, v)));
      }
      case "Clip": {
        const { min, max } = clipBounds(node) ?? { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
        return map((v) => Math.min(max, Math.max(min, v)));
      }
      case "Sigmoid":
        return map((v) => 1 / (1 + Math.exp(-v)));
      case "Tanh":
        return map(Math.tanh);
      case "HardSwish":
        return { axis: x.axis, each: { lo: x.each.lo.map(() => -0.375), hi: x.each.hi.map((v) => Math.max(0, v)) } };
      case "Identity":
      case "Dropout":
        return x;
      default:
        return undefined;
    }
  }

  /** Two operands whose channels lie on one axis, or one of which is alike everywhere. */
  #both(node: Node, combine: (a: Intervals, b: Intervals) => Intervals): Bounds {
    const rank = shapeOf(node.output, this.#shapes)?.length ?? rankOf(node.output);
    const [a, b] = [this.#operand(node, 0, rank), this.#operand(node, 1, rank)];
    const axis = a.axis ?? b.axis;
    if (axis === null) return { axis, each: combine(a.each, b.each) };
    const count = (a.axis === null ? b : a).each.lo.length;
    if (b.axis !== null && a.axis !== null && (a.axis !== b.axis || b.each.lo.length !== count)) {
      return { axis: null, each: combine(single(a), single(b)) };
    }
    const full = (one: Bounds) => (one.axis === null ? spread(one, count) : one.each);
    return { axis, each: combine(full(a), full(b)) };
  }

  #operand(node: Node, index: number, rank: number | undefined): Bounds {
    const value = node.input(index);
    const constant = floatConstant(value);
    const x = constant ? undefined : this.#of(value);
    if (constant) {
      const long = constant.shape.findIndex((d) => d !== 1);
      const elements = Float64Array.from(elementsOf(constant));
      const onlyOne = long < 0 || constant.shape.every((d, i) => d === 1 || i === long);
      if (long >= 0 && onlyOne && rank !== undefined) {
        return { axis: long + rank - constant.shape.length, each: { lo: elements, hi: elements } };
      }
      const [lo, hi] = overall({ lo: elements, hi: elements });
      return { axis: null, each: uniform(1, lo, hi) };
    }
    // An operand of fewer axes is broadcast: its axis counts from the end.
    const own = shapeOf(value, this.#shapes)?.length ?? rankOf(value);
    if (x!.axis === null || (own !== undefined && own === rank)) return x!;
    return own === undefined || rank === undefined
      ? { axis: null, each: single(x!) }
      : { axis: x!.axis! + rank - own, each: x!.each };
  }

  #concat(node: Node): Bounds {
    const rank = shapeOf(node.output, this.#shapes)?.length ?? rankOf(node.output);
    const given = node.int("axis", 0);
    const axis = given < 0 ? given + (rank ?? 0) : given;
    const parts = node.inputs.map((value) => {
      const x = this.#of(value);
      const length = shapeOf(value, this.#shapes)?.[axis];
      if (x.axis === axis) return x.each;
      return length === undefined ? undefined : spread({ axis: null, each: single(x) }, length);
    });
    if (axis < 0 || !parts.every((part) => part !== undefined)) {
      const all = node.inputs.map((value) => single(this.#of(value)));
      return { axis: null, each: all.reduce(hull) };
    }
    return {
      axis,
      each: {
        lo: Float64Array.from(parts.flatMap((part) => [...part.lo])),
        hi: Float64Array.from(parts.flatMap((part) => [...part.hi])),
      },
    };
  }

  #padded(node: Node): Bounds {
    const x = this.#of(node.input(0));
    return { axis: x.axis, each: zeroToo(x.each) };
  }

  #pad(node: Node): Bounds {
    const x = this.#of(node.input(0));
    if (node.string("mode", "constant") !== "constant") return x;
    const fill = node.input(2) ? floatConstant(node.input(2))?.numbers()[0] : 0;
    const pads = constantInts(node.input(1));
    if (fill === undefined || !pads || node.input(3)) return anything;
    const rank = pads.length / 2;
    const widened = x.axis !== null && (pads[x.axis] !== 0 || pads[x.axis + rank] !== 0);
    const each = widened ? single(x) : x.each;
    return { axis: widened ? null : x.axis, each: hull(each, uniform(each.lo.length, fill, fill)) };
  }

  /** [batch, channels, places…] → [batch, channels · places]. */
  #flat(node: Node): Bounds {
    const x = this.#of(node.input(0));
    if (x.axis === null) return x;
    const [before, after] = [shapeOf(node.input(0), this.#shapes), shapeOf(node.output, this.#shapes)];
    if (x.axis === 1 && before && after?.length === 2 && before[0] === after[0]) {
      const places = before.slice(2).reduce((a, b) => a * b, 1);
      const repeat = (ends: Float64Array) =>
        Float64Array.from({ length: after[1]! }, (_, i) => ends[Math.floor(i / places)]!);
      return { axis: 1, each: { lo: repeat(x.each.lo), hi: repeat(x.each.hi) } };
    }
    return { axis: null, each: single(x) };
  }

  /** What only moves elements stays within the bounds of all channels; pooling and resizing keep the channels apart. */
  #moved(node: Node): Bounds {
    const x = this.#of(node.input(0));
    if (isOp(node, "MaxPool")) return x;
    if (isOp(node, "Resize", "Upsample") && node.string("mode", "nearest") !== "cubic" && x.axis === 1) {
      const [before, after] = [shapeOf(node.input(0), this.#shapes), shapeOf(node.output, this.#shapes)];
      return before && after && before[1] === after[1] ? zeroPadFree(node, x) : anything;
    }
    if (isOp(node, "Transpose") && node.ints("perm") && x.axis !== null) {
      return { axis: node.ints("perm")!.indexOf(x.axis), each: x.each };
    }
    const added = rowOf(node)?.movesData ? addedBy(node) : "anything";
    if (added === "anything") return anything;
    return { axis: null, each: added.reduce((each, v) => hull(each, uniform(1, v, v)), single(x)) };
  }
}

/** Resizing with a crop fills in numbers of its own. */
function zeroPadFree(node: Node, x: Bounds): Bounds {
  return node.string("coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize" ? anything : x;
}

function single({ each }: Bounds): Intervals {
  const [lo, hi] = overall(each);
  return uniform(1, lo, hi);
}
