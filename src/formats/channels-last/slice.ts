/** Slices: each axis with a start, an end and a step, as Python has them; what is known of short vectors stays known. */
import type { Dim } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { known } from "./content.ts";
import type { Emitter } from "./emitter.ts";
import { pickedConstant } from "./sliced.ts";
import { storedAxis, type Term } from "./term.ts";

export interface Range {
  readonly axis: number;
  /** null: from the first element in the direction of the step. */
  readonly start: number | null;
  /** null: through the last one. */
  readonly end: number | null;
  readonly step: number;
}

/** ONNX's spelling of "to the end", in either direction. */
const farthest = 2 ** 31 - 1;

/** Cuts ranges out of axes; the axes stay. */
export function slice(e: Emitter, x: Term, ranges: readonly Range[]): Term {
  const cut = ranges.filter(({ start, end, step }) => !(step === 1 && (start === null || start === 0) && end === null));
  const useful = cut.filter((range) => {
    const dim = x.shape[range.axis];
    return !(typeof dim === "number" && range.step === 1 && (range.start ?? 0) === 0 && (range.end ?? dim) >= dim);
  });
  if (useful.length === 0) return x;
  for (const { step } of useful)
    if (!Number.isSafeInteger(step) || step === 0) throw e.broken(`expected a step, got ${step}`);
  const shape = x.shape.map((dim, axis): Dim => {
    const range = useful.find((one) => one.axis === axis);
    return range ? lengthOf(dim, range) : dim;
  });
  const content =
    x.content && x.shape.length === 1 && typeof x.shape[0] === "number"
      ? indices(x.shape[0], useful[0]!).map((i) => x.content![i]!)
      : undefined;
  const all = known(content);
  if (all) return e.numbers(all, x.dtype);
  const part = x.constant && pickedRanges(x.constant, useful);
  if (part) return e.constant(part);
  const start = useful.map(({ start, step }) => start ?? (step > 0 ? 0 : farthest));
  const end = useful.map(({ end, step }) => end ?? (step > 0 ? farthest : -farthest));
  const inputs = [
    e.value(x, x.order),
    e.ints(start),
    e.ints(end),
    e.ints(useful.map(({ axis }) => storedAxis(x, axis))),
    ...(useful.every(({ step }) => step === 1) ? [] : [e.ints(useful.map(({ step }) => step))]),
  ];
  return e.term(e.node("Slice", inputs).output, x.dtype, shape, x.order, content);
}

/** Of a constant, what the ranges leave. */
function pickedRanges(tensor: Tensor, ranges: readonly Range[]): Tensor | undefined {
  return ranges.reduce<Tensor | undefined>(
    (made, range) => made && pickedConstant(made, range.axis, indices(made.shape[range.axis]!, range)),
    tensor,
  );
}

function lengthOf(dim: Dim, range: Range): Dim {
  if (typeof dim === "number") return countOfRange(dim, range);
  // From a start to an end of the same sign, the count depends on the length only where it is shorter.
  return null;
}

/** First index, and how many. */
function bounds(length: number, { start, end, step }: Range): { first: number; count: number } {
  const from = (value: number) => (value < 0 ? value + length : value);
  const clamp = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most);
  const [least, most] = step > 0 ? [0, length] : [-1, length - 1];
  const first = start === null ? (step > 0 ? 0 : length - 1) : clamp(from(start), least, most);
  const last = end === null ? (step > 0 ? length : -1) : clamp(from(end), least, most);
  return { first, count: Math.max(0, Math.ceil((last - first) / step)) };
}

const countOfRange = (length: number, range: Range): number => bounds(length, range).count;

/** The indices that a range takes of an axis of this length. */
export function indices(length: number, range: Range): number[] {
  const { first, count } = bounds(length, range);
  return Array.from({ length: count }, (_, i) => first + i * range.step);
}
