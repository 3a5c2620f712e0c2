/** Lengths behind operators that work along axes: reductions, the largest of an axis, one-hot codes. */
import type { Node } from "../../ir/inner.ts";
import { axesOf, axisOf } from "../axis.ts";
import { constantNumbers } from "../constants.ts";
import type { KnownLengths, Length, Lengths, Made } from "./length.ts";

export function reduced(node: Node, known: KnownLengths): Made {
  const given = node.ints("axes") ?? (node.input(1) ? constantNumbers(node.input(1)) : []);
  return without(node, known.of(node.input(0)), given);
}

/** The place of the largest or smallest along one axis. */
export function located(node: Node, known: KnownLengths): Made {
  return without(node, known.of(node.input(0)), [node.int("axis", 0)]);
}

function without(node: Node, x: Lengths | undefined, given: readonly number[] | undefined): Made {
  if (!x) return undefined;
  if (!given) return node.int("keepdims", 1) === 1 ? x.map(() => undefined) : undefined;
  if (given.length === 0 && node.int("noop_with_empty_axes", 0) === 1) return x;
  const at = given.length === 0 ? new Set(x.map((_, i) => i)) : axesOf(given, x.length);
  if (!at) return undefined;
  if (node.int("keepdims", 1) === 1) return x.map((length, axis) => (at.has(axis) ? 1 : length));
  return x.filter((_, axis) => !at.has(axis));
}

export function largest(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  const k = node.attributes.has("k") ? node.int("k", 0) : known.elements(node.input(1))?.elements[0];
  const at = x && axisOf(node.int("axis", -1), x.length);
  return at === undefined ? undefined : x?.with(at, k as Length);
}

export function oneHot(node: Node, known: KnownLengths): Made {
  const x = known.of(node.input(0));
  const depth = known.elements(node.input(1))?.elements[0];
  const at = x && axisOf(node.int("axis", -1), x.length + 1);
  return at === undefined ? undefined : x && [...x.slice(0, at), depth, ...x.slice(at)];
}

/** Behind the first output come the statistics, which have one number where the axes are normalized. */
export function normalized(node: Node, known: KnownLengths, output: number): Made {
  const x = known.of(node.input(0));
  if (output === 0) return x;
  const from = x && axisOf(node.int("axis", -1), x.length);
  return from === undefined ? undefined : x?.map((length, axis) => (axis < from ? length : 1));
}
