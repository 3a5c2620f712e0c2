/**
 * Small vectors of lengths, as far as they are known before running: what Shape, Gather, Slice, Concat and friends make
 * of the shapes of other values. A length that is unknown still has an identity, so that equal ones are seen.
 */
import type { Value } from "../ir/index.ts";
import { dtypes, type Tensor } from "../tensor/index.ts";
import { rankOf } from "./rank.ts";
import { constantInts, constantOf, isOp } from "./walk.ts";

/** A number, or a key that is the same for lengths that are surely equal. */
export type Length = number | string;

/** The lengths of a value's axes; undefined when not even the rank is known. */
export function lengthsOf(value: Value): readonly Length[] | undefined {
  const constant = constantOf(value);
  if (constant) return constant.shape;
  const type = value.type?.kind === "tensor" ? value.type.shape : undefined;
  const rank = type?.length ?? rankOf(value);
  if (rank === undefined) return undefined;
  return Array.from({ length: rank }, (_, axis) => {
    const dim = type?.[axis];
    if (typeof dim === "number") return dim;
    return typeof dim === "string" && dim !== "" ? `=${dim}` : `${value.name}@${axis}`;
  });
}

/** An integer scalar (rank 0) or vector (rank 1) that is computed from shapes and constants. */
export interface Lengths {
  readonly rank: 0 | 1;
  readonly elements: readonly Length[];
}

/** What is known of such a value; undefined when it is something else. */
export function computedLengths(value: Value | null, depth = 32): Lengths | undefined {
  if (!value || depth === 0) return undefined;
  const constant = constantOf(value);
  if (constant) return ofConstant(constant);
  const node = value.producer;
  if (!node) return undefined;
  const of = (index: number) => computedLengths(node.input(index), depth - 1);
  if (isOp(node, "Shape")) {
    const lengths = node.input(0) ? lengthsOf(node.input(0)!) : undefined;
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
    const [data, start, end, axes, steps] = [of(0), ...[1, 2, 3, 4].map((i) => constantInts(node.input(i)))] as const;
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
  if (isOp(node, "Identity") || (isOp(node, "Cast") && node.int("to") === dtypes.int64.onnx)) return of(0);
  if (isOp(node, "Concat")) {
    const parts = node.inputs.map((_, i) => of(i));
    if (!parts.every((part) => part?.rank === 1)) return undefined;
    return { rank: 1, elements: parts.flatMap((part) => part!.elements) };
  }
  return isOp(node, "Mul", "Add", "Sub") ? arithmetic(node.op, of(0), of(1)) : undefined;
}

function ofConstant(tensor: Tensor): Lengths | undefined {
  const rank = tensor.shape.length;
  return tensor.dtype === "int64" && (rank === 0 || rank === 1) ? { rank, elements: tensor.numbers() } : undefined;
}

function arithmetic(op: string, a?: Lengths, b?: Lengths): Lengths | undefined {
  if (!a || !b) return undefined;
  const [n, m] = [a.elements.length, b.elements.length];
  if (n !== m && n !== 1 && m !== 1) return undefined;
  const elements: number[] = [];
  for (let i = 0; i < Math.max(n, m); i++) {
    const [x, y] = [a.elements[n === 1 ? 0 : i], b.elements[m === 1 ? 0 : i]];
    if (typeof x !== "number" || typeof y !== "number") return undefined;
    elements.push(op === "Mul" ? x * y : op === "Add" ? x + y : x - y);
  }
  return { rank: a.rank === 1 || b.rank === 1 ? 1 : 0, elements };
}
