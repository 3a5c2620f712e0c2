/** Operators that work element by element, with broadcasting: they keep the stored order, and constants follow it. */
import type { AttributeLike, Dim, Value } from "../../ir/inner.ts";
import { type DType, dtypes, isFloat } from "../../tensor/inner.ts";
import { limits } from "../limits.ts";
import { broadcastContent, exactly, known } from "./content.ts";
import type { Emitter } from "./emitter.ts";
import { type Content, countOf, lengthsOf, type Order, sameOrder, sourceOrder, type Term } from "./term.ts";

/** What several terms become when they are broadcast: one order, and the result's lengths in the source's axes. */
export interface Aligned {
  readonly values: readonly Value[];
  readonly shape: readonly Dim[];
  readonly order: Order;
}

/**
 * The values of terms in one stored order, so that ONNX's broadcasting does what the source's does. The order is that of the
 * computed term of full rank that is not in the source's order, if there is one: it comes from a convolution, and most often goes to one.
 */
export function aligned(e: Emitter, terms: readonly Term[]): Aligned {
  const shape = broadcastShape(e, terms);
  const rank = shape.length;
  const full = terms.filter((term) => !term.constant && term.shape.length === rank);
  const natural = sourceOrder(rank);
  const lead = full.find((term) => !sameOrder(term.order, natural)) ?? full[0];
  const order = lead?.order ?? natural;
  const holder = lead ?? terms.find((term) => term.shape.length === rank);
  return { values: terms.map((term) => fitted(e, term, order, term === holder)), shape, order };
}

/** One operand in the order of the result: constants are moved on the host, short ones get axes of length 1. */
function fitted(e: Emitter, term: Term, order: Order, isHolder: boolean): Value {
  const rank = order.length;
  const missing = rank - term.shape.length;
  const own = order.filter((axis) => axis >= missing).map((axis) => axis - missing);
  if (term.constant) {
    if (term.constant.size === 1 && !isHolder) return e.initializer({ tensor: term.constant, shape: [] }, own);
    const spread = order.map((axis) => (axis < missing ? 1 : term.constant!.shape[axis - missing]!));
    if (!isHolder) while (spread[0] === 1) spread.shift();
    return e.initializer({ tensor: term.constant, shape: spread }, own);
  }
  const value = e.value(term, own);
  const absent = order.flatMap((axis, at) => (axis < missing ? [at] : []));
  // Leading axes are there by broadcasting already.
  const needed = absent.filter((at, i) => at !== i);
  if (needed.length === 0 || own.length === 0) return value;
  return e.node("Unsqueeze", [value, e.ints(absent)]).output;
}

/** Lengths after broadcasting. Throws `import/malformed` where known lengths do not fit. */
export function broadcastShape(e: Emitter, terms: readonly Term[]): Dim[] {
  const rank = Math.max(...terms.map((term) => term.shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const dims = terms.flatMap(({ shape }) => {
      const at = axis - (rank - shape.length);
      return at < 0 ? [] : [shape[at]!];
    });
    const long = dims.filter((dim) => dim !== 1);
    const number = long.find((dim) => typeof dim === "number");
    if (long.some((dim) => typeof dim === "number" && dim !== number)) {
      throw e.broken(
        `expected shapes that broadcast, got ${terms.map((term) => `[${term.shape.join(",")}]`).join(" and ")}`,
      );
    }
    if (number !== undefined) return number;
    // An unknown length next to another one may be 1.
    return long.length === 0 ? 1 : long.every((dim) => dim === long[0]) ? long[0]! : null;
  });
}

const arithmetic: Readonly<Record<string, (x: number, y: number) => number>> = {
  Add: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
  Min: Math.min,
  Max: Math.max,
  Equal: (x, y) => Number(x === y),
  Greater: (x, y) => Number(x > y),
  GreaterOrEqual: (x, y) => Number(x >= y),
  Less: (x, y) => Number(x < y),
  LessOrEqual: (x, y) => Number(x <= y),
  And: (x, y) => Number(x !== 0 && y !== 0),
  Or: (x, y) => Number(x !== 0 || y !== 0),
};

/** An operator of two or more operands of the same type; `dtype` is the result's (default: the operands'). */
export function elementwise(
  e: Emitter,
  op: string,
  terms: readonly Term[],
  dtype: DType = terms[0]!.dtype,
  attributes: Readonly<Record<string, AttributeLike>> = {},
): Term {
  const content = terms.length === 2 ? foldedContent(e, op, terms[0]!, terms[1]!, dtype) : undefined;
  const all = known(content);
  if (all) return e.numbers(all, dtype, broadcastShape(e, terms) as number[]);
  const { values, shape, order } = aligned(e, terms);
  return e.term(e.node(op, values, attributes).output, dtype, shape, order, content);
}

/** Division of whole numbers is the source's: `rounded` says whether it is cut off or rounded down. */
export function foldedContent(
  e: Emitter,
  op: string,
  a: Term,
  b: Term,
  dtype: DType,
  of: ((x: number, y: number) => number) | undefined = arithmetic[op],
): Content | undefined {
  if (!of || !a.content || !b.content) return undefined;
  const [x, y, shape] = [lengthsOf(a.shape), lengthsOf(b.shape), lengthsOf(broadcastShape(e, [a, b]))];
  if (!x || !y || !shape || countOf(shape)! > limits.knownElements) return undefined;
  // Float constants of a model are folded where everything is, by execution; what sizes are computed from is short.
  if (isFloat(a.dtype) && countOf(shape)! > 8) return undefined;
  return broadcastContent({ content: a.content, shape: x }, { content: b.content, shape: y }, shape, (p, q) => {
    if (typeof p === "number" && typeof q === "number") return exactly(dtype, of(p, q));
    // A symbolic length stays what it is beside the neutral element.
    const neutral = op === "Mul" || op === "Div" ? 1 : op === "Add" || op === "Sub" ? 0 : undefined;
    if (q === neutral) return p;
    return p === neutral && (op === "Mul" || op === "Add") ? q : null;
  });
}

/** An operator of one operand, or of one and scalars that follow it (`more`). */
export function unary(
  e: Emitter,
  op: string,
  term: Term,
  attributes: Readonly<Record<string, AttributeLike>> = {},
  dtype: DType = term.dtype,
  more: readonly Value[] = [],
): Term {
  const value = term.value ?? e.value(term, term.order);
  return e.term(e.node(op, [value, ...more], attributes).output, dtype, term.shape, term.order);
}

/** Another element type; what is known of the elements stays known. Floats to whole numbers are cut off, as ONNX does. */
export function cast(e: Emitter, term: Term, dtype: DType): Term {
  if (term.dtype === dtype) return term;
  const content = term.content?.map((value) => {
    if (typeof value !== "number") return /int/.test(dtype) ? value : null;
    return exactly(dtype, isFloat(dtype) || dtype === "bool" ? value : Math.trunc(value));
  });
  const all = known(content);
  if (all && lengthsOf(term.shape)) return e.numbers(all, dtype, lengthsOf(term.shape)!);
  const made = unary(e, "Cast", term, { to: dtypes[dtype].onnx }, dtype);
  return content ? { ...made, content } : made;
}
