/** Operators along axes: the axis is translated, and the stored order stays. */
import type { AttributeLike, Dim } from "../../ir/inner.ts";
import type { DType, Tensor } from "../../tensor/inner.ts";
import { known } from "./content.ts";
import { aligned } from "./elementwise.ts";
import type { Emitter } from "./emitter.ts";
import { pickedConstant } from "./sliced.ts";
import { type Content, countOf, lengthsOf, type Order, sameOrder, sourceOrder, storedAxis, type Term } from "./term.ts";

/** The axis counted from the front. Throws `import/malformed` for one that the rank does not have. */
export function axisOf(e: Emitter, rank: number, axis: number): number {
  const found = axis < 0 ? axis + rank : axis;
  if (Number.isSafeInteger(found) && found >= 0 && found < rank) return found;
  throw e.broken(`expected an axis of ${rank}, got ${axis}`);
}

/** The axes counted from the front, each once, ascending. */
export const axesOf = (e: Emitter, rank: number, axes: readonly number[]): number[] =>
  [...new Set(axes.map((axis) => axisOf(e, rank, axis)))].sort((a, b) => a - b);

/** The order without some of the source's axes; the others are counted anew. */
export function orderWithout(order: Order, axes: readonly number[]): Order {
  return order.filter((axis) => !axes.includes(axis)).map((axis) => axis - axes.filter((gone) => gone < axis).length);
}

export type Reduction =
  | "ReduceSum"
  | "ReduceMean"
  | "ReduceMax"
  | "ReduceMin"
  | "ReduceProd"
  | "ReduceL2"
  | "ReduceLogSumExp";

/** Reduces axes; none at all leaves the term as it is. */
export function reduce(e: Emitter, op: Reduction, x: Term, axes: readonly number[], keep: boolean): Term {
  const gone = axesOf(e, x.shape.length, axes);
  const folded = reducedContent(op, x, gone);
  if (folded !== undefined) return e.numbers(folded, x.dtype, keep ? x.shape.map(() => 1) : []);
  if (gone.length === 0) return x;
  const at = gone.map((axis) => storedAxis(x, axis)).sort((a, b) => a - b);
  const value = e.node(op, [e.value(x, x.order), e.ints(at)], { keepdims: keep ? 1 : 0 }).output;
  const shape = x.shape.flatMap((dim, axis): Dim[] => (!gone.includes(axis) ? [dim] : keep ? [1] : []));
  return e.term(value, x.dtype, shape, keep ? x.order : orderWithout(x.order, gone));
}

/** Products and sums of short vectors of whole numbers, as shapes are. */
function reducedContent(op: Reduction, x: Term, axes: readonly number[]): number | undefined {
  const all = known(x.content);
  if (!all || x.shape.length !== axes.length || !/int/.test(x.dtype)) return undefined;
  const of = {
    ReduceProd: (a: number, b: number) => a * b,
    ReduceSum: (a: number, b: number) => a + b,
    ReduceMax: Math.max,
    ReduceMin: Math.min,
  };
  const fold = of[op as keyof typeof of];
  if (!fold || (all.length === 0 && !/Prod|Sum/.test(op))) return undefined;
  const result = all.length === 0 ? Number(op === "ReduceProd") : all.reduce((a, b) => fold(a, b));
  return Number.isSafeInteger(result) ? result : undefined;
}

/** Softmax and its like along one axis. */
export function alongAxis(e: Emitter, op: "Softmax" | "LogSoftmax", x: Term, axis: number): Term {
  const at = storedAxis(x, axisOf(e, x.shape.length, axis));
  return e.term(e.node(op, [e.value(x, x.order)], { axis: at }).output, x.dtype, x.shape, x.order);
}

/** The index of the largest or least element along an axis, without that axis. */
export function argument(e: Emitter, op: "ArgMax" | "ArgMin", x: Term, axis: number): Term {
  const gone = axisOf(e, x.shape.length, axis);
  const value = e.node(op, [e.value(x, x.order)], { axis: storedAxis(x, gone), keepdims: 0 }).output;
  return e.term(
    value,
    "int64",
    x.shape.filter((_, i) => i !== gone),
    orderWithout(x.order, [gone]),
  );
}

/** A sum along an axis up to each element. */
export function cumulativeSum(
  e: Emitter,
  x: Term,
  axis: number,
  options: { exclusive: boolean; reverse: boolean },
): Term {
  const at = storedAxis(x, axisOf(e, x.shape.length, axis));
  const attributes = { exclusive: Number(options.exclusive), reverse: Number(options.reverse) };
  return e.term(
    e.node("CumSum", [e.value(x, x.order), e.value(e.numbers(at))], attributes).output,
    x.dtype,
    x.shape,
    x.order,
  );
}

/** Terms one after the other along an axis. */
export function concat(e: Emitter, terms: readonly Term[], axis: number): Term {
  const first = terms[0]!;
  const rank = first.shape.length;
  if (terms.some((term) => term.shape.length !== rank))
    throw e.broken(`expected ${terms.length} terms of rank ${rank}`);
  if (terms.length === 1) return first;
  const along = axisOf(e, rank, axis);
  const lengths = terms.map((term) => term.shape[along]!);
  const total = lengths.every((dim) => typeof dim === "number")
    ? lengths.reduce<number>((a, b) => a + (b as number), 0)
    : null;
  const shape = first.shape.map((dim, i): Dim => {
    if (i === along) return total;
    return terms.map((term) => term.shape[i]!).find((one) => typeof one === "number") ?? dim;
  });
  const content =
    rank === 1 && terms.every((term) => term.content) ? terms.flatMap((term) => [...term.content!]) : undefined;
  const all = known(content);
  if (all) return e.numbers(all, first.dtype);
  const order =
    (terms.find((t) => !t.constant && !sameOrder(t.order, sourceOrder(rank))) ?? terms.find((t) => !t.constant))
      ?.order ?? sourceOrder(rank);
  const value = e.node(
    "Concat",
    terms.map((term) => e.value(term, order)),
    { axis: order.indexOf(along) },
  ).output;
  return e.term(value, first.dtype, shape, order, content);
}

/** New axes of length 1, at these places of the result. */
export function unsqueeze(e: Emitter, x: Term, axes: readonly number[]): Term {
  const rank = x.shape.length + axes.length;
  const added = axesOf(e, rank, axes);
  if (added.length !== axes.length) throw e.broken(`expected different axes, got [${axes.join(",")}]`);
  if (added.length === 0) return x;
  let shape = [...x.shape];
  let order = [...x.order];
  for (const axis of added) {
    shape = [...shape.slice(0, axis), 1, ...shape.slice(axis)];
    order = order.map((old) => (old >= axis ? old + 1 : old));
    // Before the axis that follows it in the source, so that [N, W, C] stored as [N, C, W] becomes [N, C, 1, W].
    const next = order.indexOf(axis + 1);
    order.splice(next < 0 ? order.indexOf(axis - 1) + 1 : next, 0, axis);
  }
  if (x.constant) return e.constant(x.constant.reshape(shape as number[]));
  const at = added.map((axis) => order.indexOf(axis)).sort((a, b) => a - b);
  return e.term(e.node("Unsqueeze", [e.value(x, x.order), e.ints(at)]).output, x.dtype, shape, order, x.content);
}

/** Removes axes of length 1; all of them when none are named. */
export function squeeze(e: Emitter, x: Term, axes: readonly number[]): Term {
  const rank = x.shape.length;
  const gone = axesOf(e, rank, axes.length > 0 ? axes : x.shape.flatMap((dim, axis) => (dim === 1 ? [axis] : [])));
  if (axes.length === 0 && !lengthsOf(x.shape)) throw e.fail("expected known lengths where all axes of length 1 go");
  const kept = gone.find((axis) => typeof x.shape[axis] === "number" && x.shape[axis] !== 1);
  if (kept !== undefined) throw e.broken(`expected axis ${kept} of length 1, got ${x.shape[kept]}`);
  if (gone.length === 0) return x;
  const shape = x.shape.filter((_, axis) => !gone.includes(axis));
  if (x.constant) return e.constant(x.constant.reshape(shape as number[]));
  const at = gone.map((axis) => storedAxis(x, axis)).sort((a, b) => a - b);
  const value = e.node("Squeeze", [e.value(x, x.order), e.ints(at)]).output;
  return e.term(value, x.dtype, shape, orderWithout(x.order, gone), x.content);
}

/** Terms of one shape as the slices along a new axis. */
export function stack(e: Emitter, terms: readonly Term[], axis: number): Term {
  const at = axisOf(e, terms[0]!.shape.length + 1, axis);
  const scalars = terms.every((term) => term.shape.length === 0 && term.content);
  const content: Content | undefined = scalars ? terms.map((term) => term.content![0]!) : undefined;
  const all = known(content);
  if (all) return e.numbers(all, terms[0]!.dtype);
  const made = concat(
    e,
    terms.map((term) => unsqueeze(e, term, [at])),
    at,
  );
  return content ? { ...made, content } : made;
}

/** Parts along an axis, of these lengths. */
export function split(e: Emitter, x: Term, axis: number, lengths: readonly number[]): Term[] {
  const along = axisOf(e, x.shape.length, axis);
  const whole = x.shape[along];
  const total = lengths.reduce((a, b) => a + b, 0);
  if (!lengths.every((v) => Number.isSafeInteger(v) && v >= 0) || (typeof whole === "number" && total !== whole)) {
    throw e.broken(`expected parts of ${whole} elements, got [${lengths.slice(0, 20).join(",")}]`);
  }
  if (lengths.length === 1) return [x];
  const parts = x.constant && partsOf(x.constant, along, lengths);
  if (parts) return parts.map((part) => e.constant(part));
  const node = e.node("Split", [e.value(x, x.order), e.ints(lengths)], { axis: storedAxis(x, along) }, lengths.length);
  return node.outputs.map((value, i) =>
    e.term(
      value,
      x.dtype,
      x.shape.map((dim, at) => (at === along ? lengths[i]! : dim)),
      x.order,
    ),
  );
}

/** The parts of a constant, as constants. */
function partsOf(tensor: Tensor, axis: number, lengths: readonly number[]): Tensor[] | undefined {
  let first = 0;
  const parts = lengths.map((length) => {
    const start = first;
    first += length;
    return pickedConstant(
      tensor,
      axis,
      Array.from({ length }, (_, i) => start + i),
    );
  });
  return parts.every((part) => part !== undefined) ? parts : undefined;
}

/** Repeats along every axis of the source. */
export function tile(e: Emitter, x: Term, repeats: readonly number[]): Term {
  if (repeats.length !== x.shape.length || !repeats.every((v) => Number.isSafeInteger(v) && v >= 0)) {
    throw e.broken(`expected a number of repeats for each of ${x.shape.length} axes, got [${repeats.join(",")}]`);
  }
  if (repeats.every((times) => times === 1)) return x;
  const value = e.node("Tile", [e.value(x, x.order), e.ints(x.order.map((axis) => repeats[axis]!))]).output;
  return e.term(
    value,
    x.dtype,
    x.shape.map((dim, axis) => times(dim, repeats[axis]!)),
    x.order,
  );
}

const times = (dim: Dim, repeat: number): Dim => (repeat === 1 ? dim : typeof dim === "number" ? dim * repeat : null);

/** Elements of an axis by index, as NumPy's take: the axes of `indices` stand in place of the axis. */
export function gather(e: Emitter, x: Term, indices: Term, axis: number): Term {
  const along = axisOf(e, x.shape.length, axis);
  const shape = [...x.shape.slice(0, along), ...indices.shape, ...x.shape.slice(along + 1)];
  const picked = known(indices.content);
  if (x.content && x.shape.length === 1 && picked?.every((i) => i >= -x.content!.length && i < x.content!.length)) {
    const content = picked.map((i) => x.content!.at(i)!);
    const all = known(content);
    if (all) return e.numbers(all, x.dtype, indices.shape as number[]);
    return { ...gathered(e, x, indices, along, shape), content };
  }
  return gathered(e, x, indices, along, shape);
}

function gathered(e: Emitter, x: Term, indices: Term, along: number, shape: readonly Dim[]): Term {
  const at = storedAxis(x, along);
  const value = e.node("Gather", [e.value(x, x.order), e.value(indices)], { axis: at }).output;
  const rank = indices.shape.length;
  const order = x.order.flatMap((axis): number[] => {
    if (axis === along) return indices.shape.map((_, i) => along + i);
    return [axis < along ? axis : axis + rank - 1];
  });
  return e.term(value, x.dtype, shape, order);
}

/** One of two terms, element by element. */
export function choose(e: Emitter, condition: Term, yes: Term, no: Term): Term {
  const { values, shape, order } = aligned(e, [condition, yes, no]);
  return e.term(e.node("Where", values).output, yes.dtype, shape, order);
}

/** The term spread to a shape that it broadcasts to. */
export function broadcastTo(e: Emitter, x: Term, shape: readonly number[]): Term {
  const wide = e.numbers(shape);
  if (countOf(x.shape) !== undefined && x.shape.length === shape.length && x.shape.every((dim, i) => dim === shape[i]))
    return x;
  return e.term(e.node("Expand", [e.value(x), e.value(wide)]).output, x.dtype, shape);
}

/** A node without anything special: one input in stored order, the same shape out. */
export function sameShape(
  e: Emitter,
  op: string,
  x: Term,
  attributes: Readonly<Record<string, AttributeLike>> = {},
  dtype: DType = x.dtype,
): Term {
  return e.term(e.node(op, [e.value(x, x.order)], attributes).output, dtype, x.shape, x.order);
}
