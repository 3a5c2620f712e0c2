/** What moves data, pools or resizes: where the channels go, and what the ends become. */
import { constantInts } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { addedBy, rowOf } from "../../ops/inner.ts";
import { type Expectation, joined, picked, pooled, spread } from "./expectation.ts";

export interface Shapes {
  /** The lengths where they are known numbers. */
  of(value: Value | null): readonly number[] | undefined;
  rank(value: Value | null): number | undefined;
}

/** The expectation of one output; undefined for operators that compute something else. */
export function moved(
  node: Node,
  index: number,
  x: Expectation,
  operand: (value: Value | null) => Expectation,
  shapes: Shapes,
): Expectation | undefined {
  const axisOf = (given: number) => (given < 0 ? given + (shapes.rank(node.output) ?? 0) : given);
  switch (node.op) {
    case "Concat":
      return concatenated(node, axisOf(node.int("axis", 0)), operand, shapes);
    case "Pad":
      return padded(node, x);
    case "Transpose":
      return transposed(node, x);
    case "Flatten":
    case "Reshape":
    case "Squeeze":
    case "Unsqueeze":
      return reshaped(node, x, shapes);
    case "Split":
      return part(node, index, x, axisOf(node.int("axis", 0)), shapes);
    case "AveragePool":
      // Neighbours are much alike: their mean spreads as one of them does.
      return node.int("count_include_pad", 0) === 1 ? withZero(x) : x;
    case "MaxPool":
    case "GlobalMaxPool":
      return index === 0 ? { ...x, basis: x.basis === "batch-norm" ? "propagated" : x.basis } : undefined;
    case "Identity":
    case "Dropout":
    case "Cast":
      return index === 0 ? x : undefined;
    case "Resize":
    case "Upsample":
      if (node.string("mode", "nearest") === "cubic") return undefined;
      return withAdded(node, sameLength(node, x, shapes) ? x : pooled(x));
    case "Slice":
      return sameLength(node, x, shapes) ? x : pooled(x);
  }
  // Everything else that moves data may mix channels.
  return rowOf(node)?.movesData ? withAdded(node, pooled(x)) : undefined;
}

/** What the node fills in may stand among the numbers; undefined where that is computed. */
function withAdded(node: Node, x: Expectation): Expectation | undefined {
  const added = addedBy(node);
  if (added === "anything") return undefined;
  return { ...x, low: x.low.map((v) => Math.min(v, ...added)), high: x.high.map((v) => Math.max(v, ...added)) };
}

/** Zero may stand among the numbers. */
function withZero(x: Expectation): Expectation {
  return { ...x, low: x.low.map((v) => Math.min(v, 0)), high: x.high.map((v) => Math.max(v, 0)) };
}

function sameLength(node: Node, x: Expectation, shapes: Shapes): boolean {
  if (x.axis === null) return true;
  const [before, after] = [shapes.of(node.input(0)), shapes.of(node.output)];
  return before !== undefined && after !== undefined && before[x.axis] === after[x.axis];
}

function concatenated(
  node: Node,
  axis: number,
  operand: (value: Value | null) => Expectation,
  shapes: Shapes,
): Expectation {
  const parts = node.inputs.map((value) => {
    const x = operand(value);
    const length = shapes.of(value)?.[axis];
    return length === undefined && x.axis !== axis ? undefined : spread(x, length ?? x.mean.length, axis);
  });
  if (parts.every((one) => one !== undefined)) return joined(parts, axis);
  return pooled(
    joined(
      node.inputs.map((value) => pooled(operand(value))),
      0,
    ),
  );
}

function padded(node: Node, x: Expectation): Expectation | undefined {
  if (node.string("mode", "constant") !== "constant") return x;
  const pads = constantInts(node.input(1)) ?? node.ints("pads");
  const rank = (pads?.length ?? 0) / 2;
  const longer = x.axis !== null && [x.axis, x.axis + rank].some((i) => pads?.[i] !== 0);
  const same = longer ? pooled(x) : x;
  return withAdded(node, same);
}

function transposed(node: Node, x: Expectation): Expectation {
  const perm = node.ints("perm");
  if (x.axis === null) return x;
  return perm ? { ...x, axis: perm.indexOf(x.axis) } : pooled(x);
}

/** Channels stay channels when what stands before their axis keeps its size; each may then count several times. */
function reshaped(node: Node, x: Expectation, shapes: Shapes): Expectation {
  if (x.axis === null) return x;
  const [before, after] = [shapes.of(node.input(0)), shapes.of(node.output)];
  if (!before || !after) return pooled(x);
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  const ahead = size(before.slice(0, x.axis));
  const count = before[x.axis]!;
  for (let axis = 0, product = 1; axis < after.length; product *= after[axis]!, axis++) {
    if (product !== ahead || after[axis]! % count !== 0) continue;
    const each = after[axis]! / count;
    if (each === 1 || size(before.slice(x.axis + 1)) === each * size(after.slice(axis + 1))) {
      return picked(
        x,
        Array.from({ length: after[axis]! }, (_, i) => Math.floor(i / each)),
        axis,
      );
    }
  }
  return pooled(x);
}

function part(node: Node, index: number, x: Expectation, axis: number, shapes: Shapes): Expectation {
  if (x.axis === null || x.axis !== axis) return x;
  const lengths = node.outputs.map((output) => shapes.of(output)?.[axis]);
  if (lengths.some((length) => length === undefined)) return pooled(x);
  const start = (lengths as number[]).slice(0, index).reduce((a, b) => a + b, 0);
  return picked(
    x,
    Array.from({ length: lengths[index]! }, (_, i) => start + i),
    axis,
  );
}
