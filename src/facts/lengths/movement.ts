/** Lengths behind operators that move, pick, repeat or fill in elements. */
import type { Node } from "../../ir/inner.ts";
import { axesOf, axisOf } from "../axis.ts";
import { constantNumbers, constantOf } from "../constants.ts";
import { isOp } from "../walk.ts";
import { numbersOf, sliceRange } from "./computed.ts";
import type { KnownLengths, Length, Made } from "./length.ts";

/** The product of lengths that are all numbers. */
const numberOf = (lengths: readonly (Length | undefined)[] | undefined): number | undefined =>
  lengths?.every((n) => typeof n === "number") ? lengths.reduce<number>((a, b) => a * (b as number), 1) : undefined;

const times = (length: Length | undefined, factor: number | undefined): number | undefined =>
  typeof length === "number" && factor !== undefined ? Math.floor(length * factor) : undefined;

export function flattened(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  return node.int("axis", 1) === 1 ? [x?.[0], numberOf(x?.slice(1))] : [undefined, undefined];
}

export function reshaped(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  const target = known.elements(node.input(1))?.elements;
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

export function squeezed(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  const axes = node.ints("axes") ?? constantNumbers(node.input(1));
  if (!x || !axes) return undefined;
  const rank = isOp(node, "Squeeze") ? x.length : x.length + axes.length;
  const at = axesOf(axes, rank);
  if (!at) return undefined;
  if (isOp(node, "Squeeze")) return x.filter((_, axis) => !at.has(axis));
  const rest = [...x];
  return Array.from({ length: rank }, (_, axis) => (at.has(axis) ? 1 : rest.shift()));
}

export function transposed(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  const perm = node.ints("perm");
  if (!x || !perm) return x?.toReversed();
  return perm.length === x.length ? perm.map((axis) => x[axis]) : undefined;
}

export function gathered(node: Node, known: KnownLengths): Made {
  const [x, indices] = [known.of(node.input(0)), known.of(node.input(1))];
  const at = x && axisOf(node.int("axis", 0), x.length);
  return at === undefined ? undefined : indices && [...x!.slice(0, at), ...indices, ...x!.slice(at + 1)];
}

export function sliced(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  const given = (name: string, i: number) => node.ints(name) ?? numbersOf(known.elements(node.input(i)));
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

/** Given lengths, else equal parts of which the last may be shorter. */
export function split(node: Node, known: KnownLengths, output: number): Made {
  const x = known.of(node.input(0));
  const given = node.ints("split") ?? numbersOf(known.elements(node.input(1)));
  const at = x && axisOf(node.int("axis", 0), x.length);
  if (!x || at === undefined) return undefined;
  const length = x[at];
  const each = typeof length === "number" ? Math.ceil(length / node.outputs.length) : undefined;
  const equal = each === undefined ? undefined : Math.min(each, (length as number) - each * output);
  const own = given ? given[output] : node.input(1) ? undefined : equal;
  return x.map((other, axis) => (axis === at ? own : other));
}

export function concatenated(node: Node, known: KnownLengths): Made {
  const parts = node.inputs.map((input) => known.of(input));
  const first = parts.find((part) => part !== undefined);
  if (!first) return undefined;
  const at = axisOf(node.int("axis", 0), first.length);
  if (at === undefined) return undefined;
  const allKnown = parts.every((part) => typeof part?.[at] === "number");
  return first.map((length, axis) => {
    if (axis === at) return allKnown ? parts.reduce((sum, part) => sum + (part![at] as number), 0) : undefined;
    return parts.map((part) => part?.[axis]).find((other) => typeof other === "number") ?? length;
  });
}

export function padded(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  const pads = node.ints("pads") ?? numbersOf(known.elements(node.input(1)));
  if (!x || !pads || node.input(3) || pads.length !== 2 * x.length) return x?.map(() => undefined);
  return x.map((length, i) => {
    const more = pads[i]! + pads[i + x.length]!;
    return more === 0 ? length : typeof length === "number" ? length + more : undefined;
  });
}

/** Whole factors only: what others round to is the runtime's affair. */
export function resized(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  const sizes = isOp(node, "Resize") ? constantNumbers(node.input(3)) : undefined;
  if (sizes?.length === x?.length && sizes && !node.attributes.has("keep_aspect_ratio_policy")) return sizes;
  const scales = constantOf(node.input(isOp(node, "Upsample") || node.inputs.length === 2 ? 1 : 2))?.numbers();
  return x?.map((length, i) => {
    const scale = scales?.length === x.length ? scales[i]! : undefined;
    return scale === 1 ? length : Number.isInteger(scale) ? times(length, scale) : undefined;
  });
}

export function tiled(node: Node, known: KnownLengths): Made {
  const repeats = constantNumbers(node.input(1));
  return known.of(node.input(0))?.map((length, i) => (repeats?.[i] === 1 ? length : times(length, repeats?.[i])));
}

/** [batch, channels, height, width], with blocks of positions as channels or the other way round. */
export function blocks(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  const [n, c, h, w] = x ?? [];
  const block = node.int("blocksize", 1);
  const factor = isOp(node, "DepthToSpace") ? block : 1 / block;
  const by = (length: Length | undefined, times: number) => (typeof length === "number" ? length * times : undefined);
  return x && [n, by(c, 1 / factor ** 2), by(h, factor), by(w, factor)];
}
