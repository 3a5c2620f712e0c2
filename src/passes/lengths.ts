/**
 * The lengths of all axes of all values, as far as they follow from the graph without running it. A length that is not
 * known still has an identity, so that equal ones are seen: the batch of the input is the batch of what comes out of a
 * convolution. The table is a snapshot; it stays true while passes replace values by equal ones.
 */
import type { Graph, Model, Node, Value } from "../ir/index.ts";
import { isOpType, ops } from "../ops/index.ts";
import { dtypes, type Tensor } from "../tensor/index.ts";
import { constantInts, constantOf, graphsOf, isOp } from "./walk.ts";
import { spreadLength, windowLength } from "./window.ts";

/** A number, or a key that is the same for lengths that are surely equal. */
export type Length = number | string;
export type Lengths = readonly Length[];

/** An integer scalar (rank 0) or vector (rank 1) that is computed from shapes and constants. */
export interface Computed {
  readonly rank: 0 | 1;
  readonly elements: readonly Length[];
}

export class LengthTable {
  readonly #lengths = new Map<Value, Lengths>();
  readonly #computed = new Map<Value, Computed>();

  constructor(model: Model) {
    for (const graph of graphsOf(model)) this.#walk(graph);
  }

  /** The lengths of a value's axes; undefined when not even the rank is known. */
  of(value: Value | null): Lengths | undefined {
    if (!value) return undefined;
    return constantOf(value)?.shape ?? this.#lengths.get(value) ?? declared(value);
  }

  /** The elements of a value that is computed from shapes; undefined for all others. */
  elements(value: Value | null): Computed | undefined {
    if (!value) return undefined;
    const constant = constantOf(value);
    return constant ? ofConstant(constant) : this.#computed.get(value);
  }

  #walk(graph: Graph): void {
    for (const node of graph.nodes) {
      const computed = computedBy(node, this);
      if (computed) this.#computed.set(node.output, computed);
      const lengths = node.domain === "" && isOpType(node.op) ? lengthsBy(node, this) : undefined;
      node.outputs.forEach((output, i) => {
        const found = merge(declared(output), i === 0 || sameForAll.has(node.op) ? lengths : undefined, output);
        if (found) this.#lengths.set(output, found);
      });
    }
  }
}

const sameForAll = new Set(["Split"]);

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
    const [a, b] = [said?.[axis], made?.[axis]];
    if (typeof a === "number") return a;
    return b ?? a ?? `${value.name}@${axis}`;
  });
}

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
      return x && [x[0], x[1], ...x.slice(2).map(() => 1)];
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
      return [undefined];
    case "Transpose":
      return x && (node.ints("perm")?.map((axis) => x[axis]) ?? x.toReversed());
    case "Gather": {
      const indices = second();
      const axis = node.int("axis", 0);
      const at = x && axis < 0 ? axis + x.length : axis;
      return x && indices && [...x.slice(0, at), ...indices, ...x.slice(at + 1)];
    }
    case "Squeeze":
    case "Unsqueeze":
      return squeezed(node, x);
    case "Split":
      return x?.map((length, i) => (i === (node.int("axis", 0) + x.length) % x.length ? undefined : length));
    case "Slice":
      return sliced(node, x);
    case "Pad":
      return padded(node, x);
    case "Resize":
    case "Upsample":
      return resized(node, x);
    case "Tile": {
      const repeats = constantInts(node.input(1));
      return x?.map((length, i) => (repeats?.[i] === 1 ? length : times(length, repeats?.[i])));
    }
    case "TopK":
      return x?.map((length, i) => (i === (node.int("axis", -1) + x.length) % x.length ? undefined : length));
    case "PRelu":
    case "Clip":
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

function padded(node: Node, x: Lengths | undefined): Made {
  const pads = node.ints("pads") ?? constantInts(node.input(1));
  if (!x || !pads || node.input(3) || pads.length !== 2 * x.length) return x?.map(() => undefined);
  return x.map((length, i) => {
    const more = pads[i]! + pads[i + x.length]!;
    return more === 0 ? length : typeof length === "number" ? length + more : undefined;
  });
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
  const at = (node.int("axis", 0) + first.length) % first.length;
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
  const at = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  if (isOp(node, "Squeeze")) return x.filter((_, axis) => !at.has(axis));
  const rest = [...x];
  return Array.from({ length: rank }, (_, axis) => (at.has(axis) ? 1 : rest.shift()));
}

function sliced(node: Node, x: Lengths | undefined): Made {
  const [starts, ends, axes, steps] = [1, 2, 3, 4].map((i) => constantInts(node.input(i)));
  if (!x) return undefined;
  if (!starts || !ends || (node.input(3) && !axes) || (node.input(4) && !steps)) return x.map(() => undefined);
  const made: (Length | undefined)[] = [...x];
  starts.forEach((start, i) => {
    const axis = ((axes?.[i] ?? i) + x.length) % x.length;
    const length = x[axis];
    if (typeof length !== "number" || (steps?.[i] ?? 1) !== 1) {
      made[axis] = undefined;
      return;
    }
    const clamp = (n: number) => Math.min(Math.max(n < 0 ? n + length : n, 0), length);
    made[axis] = Math.max(0, clamp(ends[i]!) - clamp(start));
  });
  return made;
}

function reduced(node: Node, x: Lengths | undefined): Made {
  if (!x) return undefined;
  const one = /^Arg/.test(node.op) ? [node.int("axis", 0)] : undefined;
  const given = one ?? node.ints("axes") ?? (node.input(1) ? constantInts(node.input(1)) : []);
  if (!given) return node.int("keepdims", 1) === 1 ? x.map(() => undefined) : undefined;
  if (given.length === 0 && node.int("noop_with_empty_axes", 0) === 1) return x;
  const at = new Set(
    given.length === 0 ? x.map((_, i) => i) : given.map((axis) => (axis < 0 ? axis + x.length : axis)),
  );
  if (node.int("keepdims", 1) === 1) return x.map((length, axis) => (at.has(axis) ? 1 : length));
  return x.filter((_, axis) => !at.has(axis));
}

function ofConstant(tensor: Tensor): Computed | undefined {
  const rank = tensor.shape.length;
  return tensor.dtype === "int64" && (rank === 0 || rank === 1) ? { rank, elements: tensor.numbers() } : undefined;
}

/** The elements that a node computes, when it only rearranges and multiplies lengths. */
function computedBy(node: Node, table: LengthTable): Computed | undefined {
  const of = (index: number) => table.elements(node.input(index));
  if (isOp(node, "Shape")) {
    const lengths = table.of(node.input(0));
    return lengths && { rank: 1, elements: lengths.slice(node.int("start", 0), node.int("end") ?? lengths.length) };
  }
  if (isOp(node, "Gather")) {
    const [data, index] = [of(0), constantOf(node.input(1))];
    const indices = index && index.shape.length <= 1 ? index.numbers() : undefined;
    if (data?.rank !== 1 || !indices?.every((i) => i >= -data.elements.length && i < data.elements.length))
      return undefined;
    return { rank: index!.shape.length as 0 | 1, elements: indices.map((i) => data.elements.at(i)!) };
  }
  if (isOp(node, "Slice")) {
    const data = of(0);
    const [start, end, axes, steps] = [1, 2, 3, 4].map((i) => constantInts(node.input(i)));
    if (data?.rank !== 1 || start?.length !== 1 || end?.length !== 1) return undefined;
    if ((node.input(3) && axes?.[0] !== 0) || (node.input(4) && steps?.[0] !== 1)) return undefined;
    return { rank: 1, elements: data.elements.slice(start[0], end[0]) };
  }
  if (isOp(node, "Unsqueeze")) {
    const scalar = of(0);
    return scalar?.rank === 0 ? { ...scalar, rank: 1 } : undefined;
  }
  if (isOp(node, "Squeeze")) {
    const vector = of(0);
    return vector?.rank === 1 && vector.elements.length === 1 ? { ...vector, rank: 0 } : undefined;
  }
  if (isOp(node, "Reshape")) {
    const vector = of(0);
    const target = constantInts(node.input(1));
    return vector && target?.length === 1 && target[0] === -1 ? { ...vector, rank: 1 } : undefined;
  }
  if (isOp(node, "ConstantOfShape")) return filled(node, of(0));
  if (isOp(node, "Identity") || (isOp(node, "Cast") && node.int("to") === dtypes.int64.onnx)) return of(0);
  if (isOp(node, "Concat")) {
    const parts = node.inputs.map((_, i) => of(i));
    return parts.every((part) => part?.rank === 1)
      ? { rank: 1, elements: parts.flatMap((p) => p!.elements) }
      : undefined;
  }
  if (isOp(node, "Equal", "Where")) return chosen(node, table);
  return isOp(node, "Mul", "Add", "Sub") ? arithmetic(node.op, of(0), of(1)) : undefined;
}

/** A vector of one whole number, as exporters make it before they compare a target with −1. */
function filled(node: Node, shape: Computed | undefined): Computed | undefined {
  const value = node.tensor("value");
  const count = shape?.elements[0];
  if (value?.dtype !== "int64" || shape?.elements.length !== 1 || typeof count !== "number" || count > 64)
    return undefined;
  return { rank: 1, elements: Array<number>(count).fill(value.numbers()[0]!) };
}

/** Where(Equal(a, b), c, d) over lengths: PyTorch's Expand writes −1 for "as it is" and replaces it at run time. */
function chosen(node: Node, table: LengthTable): Computed | undefined {
  const compared = isOp(node, "Where") ? node.input(0)?.producer : undefined;
  if (!isOp(compared, "Equal")) return undefined;
  const [a, b] = [table.elements(compared.input(0)), table.elements(compared.input(1))];
  const [c, d] = [table.elements(node.input(1)), table.elements(node.input(2))];
  const parts = [a, b, c, d];
  if (!parts.every((part) => part?.rank === 1 && part.elements.length === a!.elements.length)) return undefined;
  const elements = a!.elements.map((x, i) => {
    const y = b!.elements[i]!;
    if (x === y) return c!.elements[i]!;
    // A length is never negative, so it never equals a negative number.
    const differs = typeof x === "number" && typeof y === "number" ? true : Math.min(asNumber(x), asNumber(y)) < 0;
    return differs ? d!.elements[i]! : undefined;
  });
  return elements.every((e) => e !== undefined) ? { rank: 1, elements } : undefined;
}

const asNumber = (length: Length): number => (typeof length === "number" ? length : 0);

function arithmetic(op: string, a?: Computed, b?: Computed): Computed | undefined {
  if (!a || !b) return undefined;
  const [n, m] = [a.elements.length, b.elements.length];
  if (n !== m && n !== 1 && m !== 1) return undefined;
  const elements: Length[] = [];
  for (let i = 0; i < Math.max(n, m); i++) {
    const [x, y] = [a.elements[n === 1 ? 0 : i]!, b.elements[m === 1 ? 0 : i]!];
    if (typeof x !== "number" || typeof y !== "number") return undefined;
    elements.push(op === "Mul" ? x * y : op === "Add" ? x + y : x - y);
  }
  return { rank: a.rank === 1 || b.rank === 1 ? 1 : 0, elements };
}
