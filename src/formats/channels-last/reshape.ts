/** Shapes: asking for them, changing them, and the order of axes. A Reshape that only splits and joins neighbours keeps the stored order. */
import type { Dim, Value } from "../../ir/inner.ts";
import type { DType } from "../../tensor/inner.ts";
import { cast } from "./elementwise.ts";
import type { Emitter } from "./emitter.ts";
import {
  type Content,
  countOf,
  lengthsOf,
  liesAsInSource,
  type Order,
  sameOrder,
  sourceOrder,
  type Term,
} from "./term.ts";

/** The source's shape as a vector: known lengths never reach the graph. */
export function shapeOf(e: Emitter, x: Term, dtype: DType = "int64"): Term {
  const lengths = lengthsOf(x.shape);
  if (lengths) return e.numbers(lengths, dtype);
  const stored = e.node("Shape", [e.value(x, x.order)]).output;
  const natural = sourceOrder(x.shape.length);
  const inSource = sameOrder(x.order, natural)
    ? stored
    : e.node("Gather", [stored, e.ints(natural.map((axis) => x.order.indexOf(axis)))], { axis: 0 }).output;
  return cast(e, e.term(inSource, "int64", [x.shape.length], sourceOrder(1), x.shape), dtype);
}

/** The axes in another order: result axis i is the source's axis `perm[i]`. Nothing is moved. */
export function transpose(e: Emitter, x: Term, perm: readonly number[]): Term {
  const rank = x.shape.length;
  if (
    !sameOrder(
      [...perm].sort((a, b) => a - b),
      sourceOrder(rank),
    )
  ) {
    throw e.broken(`expected an order of ${rank} axes, got [${perm.join(",")}]`);
  }
  if (x.constant)
    return e.term(
      e.value(x, perm),
      x.dtype,
      perm.map((axis) => x.shape[axis]!),
    );
  return {
    dtype: x.dtype,
    shape: perm.map((axis) => x.shape[axis]!),
    order: x.order.map((axis) => perm.indexOf(axis)),
    value: x.value,
  };
}

/** Another shape with the same elements; one length may be −1, null ones are only known when the model runs (then `by` computes them). */
export function reshape(e: Emitter, x: Term, target: Content, by?: Term): Term {
  const shape = filled(e, x, target);
  const lengths = lengthsOf(shape);
  if (x.constant && lengths) return e.constant(x.constant.reshape(lengths));
  if (shape.length === x.shape.length && shape.every((dim, i) => dim !== null && dim === x.shape[i])) return x;
  const { before, order } = moving(x, shape);
  const wanted = order.map((axis) => shape[axis]!);
  const attributes = wanted.includes(0) ? { allowzero: 1 } : {};
  const value = e.node(
    "Reshape",
    [
      e.value(x, before),
      newShape(
        e,
        before.map((axis) => x.shape[axis]!),
        wanted,
      ) ?? asked(e, order, shape, by),
    ],
    attributes,
  ).output;
  return e.term(value, x.dtype, shape, order, x.content);
}

/** ONNX's vector: 0 copies a length from the same place, and one −1 is found from the others. */
function newShape(e: Emitter, before: readonly Dim[], wanted: readonly Dim[]): Value | undefined {
  const unknown = wanted.flatMap((dim, i) => (typeof dim === "number" ? [] : [i]));
  // A true 0 needs allowzero, under which nothing is copied, and next to which −1 has no meaning.
  if (wanted.includes(0)) return unknown.length === 0 ? e.ints(wanted as number[]) : undefined;
  const copied = unknown.length > 1 ? unknown.filter((i) => wanted[i] !== null && wanted[i] === before[i]) : [];
  if (unknown.length - copied.length > 1) return undefined;
  return e.ints(wanted.map((dim, i) => (typeof dim === "number" ? dim : copied.includes(i) ? 0 : -1)));
}

/** The shape that the source computes, in the stored order. */
function asked(e: Emitter, order: Order, shape: readonly Dim[], by: Term | undefined): Value {
  if (!by)
    throw e.fail(
      `expected at most one unknown length of a new shape, got [${shape.map((dim) => dim ?? "?").join(",")}]`,
    );
  const value = e.value(cast(e, by, "int64"));
  return sameOrder(order, sourceOrder(order.length))
    ? value
    : e.node("Gather", [value, e.ints([...order])], { axis: 0 }).output;
}

/** The new lengths as far as they follow: what is open from the others, symbolic lengths by name. */
function filled(e: Emitter, x: Term, target: Content): Dim[] {
  const numbers = target.filter((length) => typeof length === "number" && length !== -1) as number[];
  const rest = numbers.reduce((product, length) => product * length, 1);
  const open = target.flatMap((length, i) => (length === -1 || length === null ? [i] : []));
  if (numbers.some((length) => !Number.isSafeInteger(length) || length < 0) || !Number.isSafeInteger(rest)) {
    throw e.broken(`expected a shape, got [${target.join(",")}]`);
  }
  if (target.filter((length) => length === -1).length > 1)
    throw e.broken(`expected one length to find, got [${target.join(",")}]`);
  const shape: Dim[] = target.map((length) => (length === -1 ? null : length));
  const count = countOf(x.shape);
  if (count !== undefined && shape.every((dim) => dim === null || typeof dim === "number")) {
    if (open.length === 0 ? rest !== count : rest === 0 ? count !== 0 : count % rest !== 0) {
      throw e.broken(`expected a shape of ${count} elements, got [${target.join(",")}]`);
    }
    if (open.length === 1) shape[open[0]!] = rest === 0 ? 0 : count / rest;
  } else if (open.length === 1) shape[open[0]!] = remaining(x.shape, shape);
  return shape;
}

/** The open length when the symbolic ones are the same before and after, or when one symbolic length is all that is left. */
function remaining(before: readonly Dim[], after: readonly Dim[]): Dim {
  const product = (dims: readonly Dim[]) =>
    dims.reduce<number>((all, dim) => (typeof dim === "number" ? all * dim : all), 1);
  const names = before.filter((dim) => typeof dim !== "number");
  for (const name of after) {
    if (typeof name !== "string") continue;
    const at = names.indexOf(name);
    if (at < 0) return null;
    names.splice(at, 1);
  }
  const [had, has] = [product(before), product(after)];
  if (has === 0) return null;
  if (names.length === 0) return Number.isSafeInteger(had / has) ? had / has : null;
  return names.length === 1 && had === has ? names[0]! : null;
}

/** Into which order the axes go before a reshape, and in which they are after it. */
interface Moving {
  readonly before: Order;
  readonly order: Order;
}

/**
 * A reshape that splits axes and joins others keeps everything in its stored place but axes that are joined: those have to lie next
 * to each other, as in the source. Where it does not follow which axes become which, the source's order is made.
 */
function moving(x: Term, shape: readonly Dim[]): Moving {
  const natural = { before: sourceOrder(x.shape.length), order: sourceOrder(shape.length) };
  if (liesAsInSource(x)) return { ...natural, before: x.order };
  const groups = matched(x.shape, shape);
  if (!groups) return natural;
  const first = (group: Group) => Math.min(...group.from.map((axis) => x.order.indexOf(axis)));
  const stored = [...groups].sort((a, b) => first(a) - first(b));
  return { before: stored.flatMap(({ from }) => from), order: stored.flatMap(({ to }) => to) };
}

interface Group {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Runs of axes before and after with the same number of elements; undefined where that is not known. */
function matched(before: readonly Dim[], after: readonly Dim[]): Group[] | undefined {
  const groups: Group[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const from: number[] = [];
    const to: number[] = [];
    const [a, b] = [before[i], after[j]];
    if (a !== undefined && a !== null && a === b) {
      groups.push({ from: [i++], to: [j++] });
      continue;
    }
    let [x, y] = [1, 1];
    do {
      const next = x <= y && i < before.length ? before[i] : after[j];
      if (typeof next !== "number" || next === 0) return undefined;
      if (x <= y && i < before.length) {
        x *= next;
        from.push(i++);
      } else {
        y *= next;
        to.push(j++);
      }
    } while (x !== y || from.length === 0 || to.length === 0);
    groups.push({ from, to });
  }
  return groups;
}
