/** Padding: constants on the host, and the padding of SAME where lengths are not known until the model runs. */
import type { Dim, Value } from "../../ir/inner.ts";
import type { Emitter } from "./emitter.ts";
import type { Order, Term } from "./term.ts";
import { complete, reach, spatialAxes, type Window } from "./windows.ts";

/** Elements before and after on every axis of the source. */
export type Pads = readonly (readonly [before: number, after: number])[];

/** Zeros that were added around a term: a convolution takes the term without them. */
const zeroPads = new WeakMap<Value, { readonly of: Term; readonly pads: Pads }>();

export interface PadOptions {
  /** Default "constant". "reflect" leaves the edge out, "edge" repeats it. */
  readonly mode?: "constant" | "reflect" | "edge";
  /** What constant padding holds (default: zero). */
  readonly fill?: Term;
}

/** Pads known numbers of elements; negative numbers crop. */
export function pad(e: Emitter, x: Term, pads: Pads, { mode = "constant", fill }: PadOptions = {}): Term {
  if (pads.length !== x.shape.length || !pads.flat().every((v) => Number.isSafeInteger(v) && Math.abs(v) < 2 ** 31)) {
    throw e.broken(`expected two numbers of padding for each of ${x.shape.length} axes, got [${pads.join("; ")}]`);
  }
  if (pads.every(([before, after]) => before === 0 && after === 0)) return x;
  const stored = x.order.map((axis) => pads[axis]!);
  const list = [...stored.map(([before]) => before), ...stored.map(([, after]) => after)];
  const shape = x.shape.map((dim, axis): Dim => {
    const [before, after] = pads[axis]!;
    if (typeof dim !== "number") return before + after === 0 && before === 0 ? dim : null;
    if (dim + before + after < 0)
      throw e.broken(`expected an axis of at least ${-before - after} elements, got ${dim}`);
    return dim + before + after;
  });
  const inputs = [e.value(x, x.order), e.ints(list), fill ? e.value(fill) : null];
  const value = e.node("Pad", inputs, mode === "constant" ? {} : { mode }).output;
  const isZero = mode === "constant" && (!fill || fill.content?.[0] === 0) && pads.flat().every((v) => v >= 0);
  if (isZero) zeroPads.set(value, { of: x, pads });
  return e.term(value, x.dtype, shape, x.order);
}

/** Padding by numbers that are computed: `pads` is [rank, 2] in the source's axes. */
export function padBy(e: Emitter, x: Term, pads: Term, { mode = "constant", fill }: PadOptions = {}): Term {
  const rank = x.shape.length;
  // [rank, 2] → the rows in stored order → all of before, then all of after.
  const rows = e.node("Gather", [e.value(pads), e.ints([...x.order])], { axis: 0 }).output;
  const flat = e.node("Reshape", [e.node("Transpose", [rows], { perm: [1, 0] }).output, e.ints([2 * rank])]).output;
  const whole = pads.dtype === "int64" ? flat : e.node("Cast", [flat], { to: 7 }).output;
  const inputs = [e.value(x, x.order), whole, fill ? e.value(fill) : null];
  const value = e.node("Pad", inputs, mode === "constant" ? {} : { mode }).output;
  return e.term(
    value,
    x.dtype,
    x.shape.map(() => null),
    x.order,
  );
}

/** A convolution behind zeros, and the one without them that pads itself. */
export function withoutPad(x: Term, window: Window): { x: Term; window: Window } {
  const found = x.value && zeroPads.get(x.value);
  if (!found || window.padding === "SAME") return { x, window };
  const spatial = spatialAxes(x.shape.length, window.channels);
  if (found.pads.some(([before, after], axis) => !spatial.includes(axis) && before + after > 0)) return { x, window };
  const own = window.padding === "VALID" ? spatial.map(() => [0, 0] as const) : window.padding;
  const padding = spatial.map((axis, i) => {
    const [before, after] = found.pads[axis]!;
    return [before + own[i]![0], after + own[i]![1]] as const;
  });
  return { x: found.of, window: { ...window, padding } };
}

/** The input with the elements of SAME around it (default: zeros), counted when the model runs. */
export function dynamicPad(e: Emitter, x: Term, order: Order, window: Window, fill: Value | null = null): Value {
  const { kernel, strides, dilations } = complete(window);
  const spatial = spatialAxes(x.shape.length, window.channels);
  const value = e.value(x, order);
  const at = spatial.map((axis) => order.indexOf(axis));
  const lengths = e.node("Gather", [e.node("Shape", [value]).output, e.ints(at)], { axis: 0 }).output;
  const sizes = kernel.map((length, i) => reach(length, dilations[i]!));
  // (ceil(n / s) − 1) · s + reach − n, whole numbers throughout.
  const steps = e.node("Div", [
    e.node("Add", [lengths, e.ints(strides.map((s) => s - 1))]).output,
    e.ints([...strides]),
  ]).output;
  const covered = e.node("Add", [
    e.node("Mul", [steps, e.ints([...strides])]).output,
    e.ints(sizes.map((s, i) => s - strides[i]!)),
  ]).output;
  const total = e.node("Max", [e.node("Sub", [covered, lengths]).output, e.ints(sizes.map(() => 0))]).output;
  const before = e.node("Div", [total, e.ints([2])]).output;
  const after = e.node("Sub", [total, before]).output;
  const pads = e.node("Concat", [before, after], { axis: 0 }).output;
  return e.node("Pad", [value, pads, fill, e.ints(at)]).output;
}
