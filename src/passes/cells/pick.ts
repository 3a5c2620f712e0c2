/** One step of a sequence: the values that hold what stands at one index of an axis, in the spellings of exporters. */
import { axisOf, constantNumbers, isOp, type LengthTable } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";

/** What stands at an index of an axis, with the axis gone. */
export interface Pick {
  readonly base: Value;
  readonly axis: number;
  readonly index: number;
}

/** Squeeze of a Split or a Slice, Gather of one index, Squeeze or Reshape of an axis of length 1; else nothing. */
export function pickOf(value: Value, lengths: LengthTable): Pick | undefined {
  const node = value.producer;
  if (!isOp(node, "Gather", "Squeeze", "Reshape")) return undefined;
  if (node.op === "Gather") return gathered(node, lengths);
  const base = node.input(0);
  const rank = lengths.of(base)?.length;
  if (!base || rank === undefined) return undefined;
  const axis = node.op === "Squeeze" ? squeezedAxis(node, rank) : reshapedAxis(node, lengths);
  if (axis === undefined || lengths.of(base)![axis] !== 1) return undefined;
  return rangeOf(base, axis, lengths) ?? { base, axis, index: 0 };
}

function gathered(node: Node, lengths: LengthTable): Pick | undefined {
  const base = node.input(0);
  const shape = lengths.of(base);
  const indices = constantNumbers(node.input(1));
  if (!base || !shape || indices?.length !== 1 || lengths.of(node.input(1))!.length !== 0) return undefined;
  const axis = axisOf(node.int("axis", 0), shape.length);
  const length = axis === undefined ? undefined : shape[axis];
  const index = indices[0]! < 0 ? (typeof length === "number" ? indices[0]! + length : -1) : indices[0]!;
  return axis === undefined || index < 0 ? undefined : { base, axis, index };
}

function squeezedAxis(node: Node, rank: number): number | undefined {
  const axes = node.ints("axes") ?? constantNumbers(node.input(1));
  return axes?.length === 1 ? axisOf(axes[0]!, rank) : undefined;
}

/** The axis of length 1 that a Reshape takes away, where it does nothing else. */
function reshapedAxis(node: Node, lengths: LengthTable): number | undefined {
  const [from, to] = [lengths.shape(node.input(0)), lengths.shape(node.output)];
  if (!from || !to || from.length !== to.length + 1) return undefined;
  const axis = from.findIndex((_, i) => from[i] === 1 && from.filter((_, k) => k !== i).join() === to.join());
  return axis < 0 ? undefined : axis;
}

/** Where a value is one index of an axis of another one, which stays with length 1. */
function rangeOf(value: Value, axis: number, lengths: LengthTable): Pick | undefined {
  const node = value.producer;
  if (!isOp(node, "Split", "Slice")) return undefined;
  const range = partOf(value, lengths);
  return range?.axis === axis && range.count === 1 ? { base: node.input(0)!, axis, index: range.first } : undefined;
}

/** The part of an axis that a Split or a Slice takes, where it is known. */
export function partOf(
  value: Value,
  lengths: LengthTable,
): { readonly axis: number; readonly first: number; readonly count: number } | undefined {
  const node = value.producer!;
  const from = lengths.of(node.input(0));
  const to = lengths.of(value);
  if (!from || !to) return undefined;
  if (isOp(node, "Split")) {
    const axis = axisOf(node.int("axis", 0), from.length);
    if (axis === undefined) return undefined;
    const sizes = node.outputs.map((output) => lengths.of(output)?.[axis]);
    const at = node.outputs.indexOf(value);
    if (!sizes.slice(0, at + 1).every((size): size is number => typeof size === "number")) return undefined;
    const first = (sizes as number[]).slice(0, at).reduce((sum, size) => sum + size, 0);
    return { axis, first, count: sizes[at] as number };
  }
  const [starts, axes, steps] = [1, 3, 4].map((i) => constantNumbers(node.input(i)));
  if (starts?.length !== 1 || (node.input(3) && axes?.length !== 1) || (node.input(4) && steps?.[0] !== 1))
    return undefined;
  const axis = axisOf(axes?.[0] ?? 0, from.length);
  if (axis === undefined) return undefined;
  const [length, count] = [from[axis], to[axis]];
  if (typeof count !== "number") return undefined;
  const first = starts[0]! < 0 ? (typeof length === "number" ? length + starts[0]! : -1) : starts[0]!;
  return first < 0 ? undefined : { axis, first, count };
}
