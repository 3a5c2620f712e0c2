/**
 * The lengths of all axes of all values, as far as they follow from the graph without running it. A length that is not
 * known still has an identity, so that equal ones are seen: the batch of the input is the batch of what comes out of a
 * convolution. The table is a snapshot; it stays true while passes replace values by equal ones.
 */

import { Graph, type Model, type Node, type Value } from "../../ir/inner.ts";
import { isOpType, ops } from "../../ops/inner.ts";
import type { Shape } from "../../tensor/inner.ts";
import { axesOf, axisOf } from "../axis.ts";
import { constantInts, constantOf } from "../constants.ts";
import { graphsOf, isOp } from "../walk.ts";
import { type Computed, computedBy, computedOfConstant, numbersOf, sliceRange } from "./computed.ts";
import { contribLengths } from "./contrib-lengths.ts";
import type { Length, Lengths } from "./length.ts";
import { rarerLengths } from "./rarer-lengths.ts";
import { spreadLength, windowLength } from "./window.ts";

export class LengthTable {
  readonly #lengths = new Map<Value, Lengths>();
  readonly #computed = new Map<Value, Computed>();
  readonly #believes: boolean;

  /** `believes`: whether what the file says of values counts; without it only constants and operators tell. */
  constructor(of: Model | Graph, { believes = true }: { readonly believes?: boolean } = {}) {
    this.#believes = believes;
    if (of instanceof Graph) this.#walk(of);
    else for (const graph of graphsOf(of)) this.#walk(graph);
  }

  /** The lengths of a value's axes; undefined when not even the rank is known. */
  of(value: Value | null): Lengths | undefined {
    if (!value) return undefined;
    return constantOf(value)?.shape ?? this.#lengths.get(value) ?? this.#declared(value);
  }

  /** The same where all of them are numbers. */
  shape(value: Value | null): Shape | undefined {
    const found = this.of(value);
    return found?.every((length) => typeof length === "number") ? (found as Shape) : undefined;
  }

  /** The elements of a value that is computed from shapes; undefined for all others. */
  elements(value: Value | null): Computed | undefined {
    if (!value) return undefined;
    const constant = constantOf(value);
    return constant ? computedOfConstant(constant) : this.#computed.get(value);
  }

  #declared(value: Value): Lengths | undefined {
    return this.#believes ? declared(value) : undefined;
  }

  #walk(graph: Graph): void {
    for (const node of graph.nodes) {
      const computed = computedBy(node, { of: (v) => this.of(v), elements: (v) => this.elements(v) });
      if (computed) this.#computed.set(node.output, computed);
      const lengths = node.domain === "" && isOpType(node.op) ? lengthsBy(node, this) : undefined;
      node.outputs.forEach((output, i) => {
        const made = this.#made(node, i, lengths);
        const found = merge(this.#declared(output), made, output);
        if (found) this.#lengths.set(output, found);
      });
    }
  }

  /** One output: the first by its operator's rule, which for few operators holds for the others too. */
  #made(node: Node, i: number, first: Made): Made {
    if (recurrent.has(node.op)) return recurrentLengths(node, i, this);
    if (node.domain !== "") return node.domain === "com.microsoft" ? contribLengths(node, i, this) : undefined;
    if (node.op === "Split" && first) return splitLengths(node, i, first, this);
    const isFirst = i === 0 || node.op === "TopK" || node.op === "MaxPool";
    return (isFirst ? first : undefined) ?? rarerLengths(node, i, this);
  }
}

const recurrent = new Set(["GRU", "LSTM", "RNN"]);

/** Y is [steps, directions, batch, hidden]; the last states lack the steps. With layout 1 the batch comes first. */
function recurrentLengths(node: Node, output: number, table: LengthTable): Made {
  const [x, r] = [table.of(node.input(0)), table.of(node.input(2))];
  if (!x || !r || node.domain !== "") return undefined;
  if (node.int("layout", 0) === 1) return output === 0 ? [x[0], x[1], r[0], r[2]] : [x[0], r[0], r[2]];
  return output === 0 ? [x[0], r[0], x[1], r[2]] : [r[0], x[1], r[2]];
}

function declared({ name, type }: Value): Lengths | undefined {
  if (type?.kind !== "tensor") return undefined;
  return type.shape?.map((dim, axis) => (typeof dim === "number" ? dim : dim ? `=${dim}` : `${name}@${axis}`));
}

/** What the model says, made more exact by what its producer says; what neither knows gets an identity. */
function merge(
  said: Lengths | undefined,
  made: readonly (Length | undefined)[] | undefined,
  value: Value,
): Lengths | undefined {
  if (said && made && said.length !== made.length) return said;
  const lengths = said ?? made;
  return lengths?.map((_, axis) => {
    const [a, b] = [said?.[axis], plausible(made?.[axis])];
    if (typeof a === "number") return a;
    return b ?? a ?? `${value.name}@${axis}`;
  });
}

/** A rule counts with what the file gives it; what comes out negative or beyond all numbers is no length. */
const plausible = (length: Length | undefined): Length | undefined =>
  typeof length !== "number" || (Number.isSafeInteger(length) && length >= 0) ? length : undefined;

type Made = readonly (Length | undefined)[] | undefined;

const keepsShape = new Set(
  [
    "BatchNormalization CumProd CumSum Dropout GroupNormalization Hardmax InstanceNormalization LayerNormalization LogSoftmax",
    "LpNormalization LRN MeanVarianceNormalization QuantizeLinear DequantizeLinear ReverseSequence RMSNormalization",
    "ScatterElements ScatterND Softmax Trilu",
  ]
    .join(" ")
    .split(" "),
);

function lengthsBy(node: Node, table: LengthTable): Made {
  const x = table.of(node.input(0));
  const second = () => table.of(node.input(1));
  switch (node.op) {
    case "Conv":
    case "ConvTranspose":
      return convolved(node, x, second());
    case "AveragePool":
    case "LpPool":
    case "MaxPool":
      return (
        x && [
          x[0],
          x[1],
          ...x.slice(2).map((length, i) => windowLength(node, length, node.ints("kernel_shape")?.[i], i)),
        ]
      );
    case "GlobalAveragePool":
    case "GlobalLpPool":
    case "GlobalMaxPool":
      return x && x.length >= 2 ? [x[0], x[1], ...x.slice(2).map(() => 1)] : undefined;
    case "Gemm": {
      const b = second();
      return [x?.[node.int("transA", 0) ? 1 : 0], b?.[node.int("transB", 0) ? 0 : 1]];
    }
    case "MatMul":
      return product(x, second());
    case "Concat":
      return concatenated(node, table);
    case "Flatten":
      return node.int("axis", 1) === 1 ? [x?.[0], numberOf(x?.slice(1))] : [undefined, undefined];
    case "Reshape":
      return reshaped(node, x, table.elements(node.input(1))?.elements);
    case "Expand":
      return broadcast(x, table.elements(node.input(1))?.elements);
    case "ConstantOfShape":
      return table.elements(node.input(0))?.elements;
    case "Shape":
      return [table.elements(node.output)?.shape[0]];
    case "Transpose":
      return transposed(node, x);
    case "Gather": {
      const indices = second();
      const at = x && axisOf(node.int("axis", 0), x.length);
      return at === undefined ? undefined : indices && [...x!.slice(0, at), ...indices, ...x!.slice(at + 1)];
    }
    case "Squeeze":
    case "Unsqueeze":
      return squeezed(node, x);
    case "Split":
      return x;
    case "Slice":
      return sliced(node, x, table);
    case "Pad":
      return padded(node, x, table);
    case "Resize":
    case "Upsample":
      return resized(node, x);
    case "Tile": {
      const repeats = constantInts(node.input(1));
      return x?.map((length, i) => (repeats?.[i] === 1 ? length : times(length, repeats?.[i])));
    }
    case "TopK": {
      const k = node.attributes.has("k") ? node.int("k", 0) : table.elements(node.input(1))?.elements[0];
      const at = x && axisOf(node.int("axis", -1), x.length);
      return at === undefined ? undefined : x?.with(at, k as Length);
    }
    case "PRelu":
    case "Clip":
    case "CastLike":
      return x;
    default:
      if (/^(Reduce|ArgM)/.test(node.op)) return reduced(node, x);
      if (keepsShape.has(node.op)) return x;
      return ops[node.op as "Add"].elementwise
        ? node.inputs.map((input) => table.of(input)).reduce<Made>(broadcast, [])
        : undefined;
  }
}

const numberOf = (lengths: readonly (Length | undefined)[] | undefined): number | undefined =>
  lengths?.every((n) => typeof n === "number") ? lengths.reduce<number>((a, b) => a * (b as number), 1) : undefined;

/** Right-aligned; a length of one gives way, and one that is known to be larger wins over an unknown one. */
function broadcast(a: Made, b: Made): Made {
  if (!a || !b) return undefined;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const ia = i - (rank - a.length);
    const ib = i - (rank - b.length);
    if (ia < 0) return b[ib];
    if (ib < 0) return a[ia];
    const [p, q] = [a[ia], b[ib]];
    if (p === 1 || p === q) return q;
    if (q === 1) return p;
    return typeof p === "number" ? p : typeof q === "number" ? q : undefined;
  });
}

const times = (length: Length, factor: number | undefined): number | undefined =>
  typeof length === "number" && factor !== undefined ? Math.floor(length * factor) : undefined;

function padded(node: Node, x: Lengths | undefined, table: LengthTable): Made {
  const pads = node.ints("pads") ?? numbersOf(table.elements(node.input(1)));
  if (!x || !pads || node.input(3) || pads.length !== 2 * x.length) return x?.map(() => undefined);
  return x.map((length, i) => {
    const more = pads[i]! + pads[i + x.length]!;
    return more === 0 ? length : typeof length === "number" ? length + more : undefined;
  });
}

function transposed(node: Node, x: Lengths | undefined): Made {
  const perm = node.ints("perm");
  if (!x || !perm) return x?.toReversed();
  return perm.length === x.length ? perm.map((axis) => x[axis]) : undefined;
}

/** Given lengths, else equal parts of which the last may be shorter. */
function splitLengths(node: Node, output: number, x: readonly (Length | undefined)[], table: LengthTable): Made {
  const given = node.ints("split") ?? numbersOf(table.elements(node.input(1)));
  const at = axisOf(node.int("axis", 0), x.length);
  if (at === undefined) return undefined;
  const length = x[at];
  const each = typeof length === "number" ? Math.ceil(length / node.outputs.length) : undefined;
  const equal = each === undefined ? undefined : Math.min(each, (length as number) - each * output);
  return x.with(at, given ? given[output] : node.input(1) ? undefined : equal);
}

/** Whole factors only: what others round to is the runtime's affair. */
function resized(node: Node, x: Lengths | undefined): Made {
  const sizes = isOp(node, "Resize") ? constantInts(node.input(3)) : undefined;
  if (sizes?.length === x?.length && sizes && !node.attributes.has("keep_aspect_ratio_policy")) return sizes;
  const scales = constantOf(node.input(isOp(node, "Upsample") || node.inputs.length === 2 ? 1 : 2))?.numbers();
  return x?.map((length, i) => {
    const scale = scales?.length === x.length ? scales[i]! : undefined;
    return scale === 1 ? length : Number.isInteger(scale) ? times(length, scale) : undefined;
  });
}

function product(a: Lengths | undefined, b: Lengths | undefined): Made {
  if (!a || !b || a.length < 2 || b.length < 2) return undefined;
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2));
  return batch && [...batch, a.at(-2), b.at(-1)];
}

function convolved(node: Node, x: Lengths | undefined, w: Lengths | undefined): Made {
  const rank = x?.length ?? w?.length;
  if (rank === undefined) return undefined;
  if (rank < 2) return undefined;
  const places = Array.from({ length: rank - 2 }, (_, i) => windowLength(node, x?.[i + 2], w?.[i + 2], i));
  if (isOp(node, "Conv")) return [x?.[0], w?.[0], ...places];
  const out = w?.[1];
  const spread = places.map((_, i) => spreadLength(node, x?.[i + 2], w?.[i + 2], i));
  return [x?.[0], typeof out === "number" ? out * node.int("group", 1) : undefined, ...spread];
}

function concatenated(node: Node, table: LengthTable): Made {
  const parts = node.inputs.map((input) => table.of(input));
  const first = parts.find((part) => part !== undefined);
  if (!first) return undefined;
  const at = axisOf(node.int("axis", 0), first.length);
  if (at === undefined) return undefined;
  const known = parts.every((part) => typeof part?.[at] === "number");
  return first.map((length, axis) => {
    if (axis === at) return known ? parts.reduce((sum, part) => sum + (part![at] as number), 0) : undefined;
    return parts.map((part) => part?.[axis]).find((other) => typeof other === "number") ?? length;
  });
}

function reshaped(node: Node, x: Lengths | undefined, target: readonly Length[] | undefined): Made {
  if (!target) return undefined;
  const copies = node.int("allowzero", 0) === 0;
  const made = target.map((length, axis) => (length === -1 ? undefined : length === 0 && copies ? x?.[axis] : length));
  const open = target.indexOf(-1);
  // The open length is what is left over; lengths that stand on both sides cancel.
  if (open < 0 || !x) return made;
  const left = [...x];
  for (const [axis, length] of made.entries()) {
    if (axis === open) continue;
    const same = left.indexOf(length as Length);
    if (length === undefined) return made;
    if (same >= 0) left.splice(same, 1);
    else if (typeof length === "number") left.push(1 / length);
    else return made;
  }
  const rest = numberOf(left) ?? (left.length === 1 ? left[0] : undefined);
  // Sums of reciprocals are as exact as lengths need.
  made[open] = typeof rest === "number" ? Math.round(rest) : rest;
  return made;
}

function squeezed(node: Node, x: Lengths | undefined): Made {
  const axes = node.ints("axes") ?? constantInts(node.input(1));
  if (!x || !axes) return undefined;
  const rank = isOp(node, "Squeeze") ? x.length : x.length + axes.length;
  const at = axesOf(axes, rank);
  if (!at) return undefined;
  if (isOp(node, "Squeeze")) return x.filter((_, axis) => !at.has(axis));
  const rest = [...x];
  return Array.from({ length: rank }, (_, axis) => (at.has(axis) ? 1 : rest.shift()));
}

function sliced(node: Node, x: Lengths | undefined, table: LengthTable): Made {
  const given = (name: string, i: number) => node.ints(name) ?? numbersOf(table.elements(node.input(i)));
  const [starts, ends, axes, steps] = ["starts", "ends", "axes", "steps"].map((name, i) => given(name, i + 1));
  if (!x) return undefined;
  if (!starts || !ends || (node.input(3) && !axes) || (node.input(4) && !steps)) return x.map(() => undefined);
  const made: (Length | undefined)[] = [...x];
  for (const [i, start] of starts.entries()) {
    const axis = axisOf(axes?.[i] ?? i, x.length);
    const [end, step] = [ends[i], steps?.[i] ?? 1];
    if (axis === undefined || end === undefined || step === 0) return undefined;
    const length = x[axis];
    made[axis] = typeof length === "number" ? sliceRange(length, start, end, step).count : undefined;
  }
  return made;
}

function reduced(node: Node, x: Lengths | undefined): Made {
  if (!x) return undefined;
  const one = /^Arg/.test(node.op) ? [node.int("axis", 0)] : undefined;
  const given = one ?? node.ints("axes") ?? (node.input(1) ? constantInts(node.input(1)) : []);
  if (!given) return node.int("keepdims", 1) === 1 ? x.map(() => undefined) : undefined;
  if (given.length === 0 && node.int("noop_with_empty_axes", 0) === 1) return x;
  const at = given.length === 0 ? new Set(x.map((_, i) => i)) : axesOf(given, x.length);
  if (!at) return undefined;
  if (node.int("keepdims", 1) === 1) return x.map((length, axis) => (at.has(axis) ? 1 : length));
  return x.filter((_, axis) => !at.has(axis));
}
