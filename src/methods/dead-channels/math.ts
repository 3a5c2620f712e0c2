/**
 * Interval arithmetic per channel: between which bounds each channel of a value lies, whatever the data. A channel whose
 * bounds meet is constant; one whose upper bound in front of a ReLU is not positive is zero behind it.
 */

/** Bounds of each channel, ±∞ where nothing is known. */
export interface Intervals {
  readonly lo: Float64Array;
  readonly hi: Float64Array;
}

/** Which output and input channel each element of a weight connects. */
export interface Connections {
  output(index: number): number;
  input(index: number): number;
}

/** The same bounds for all of `count` channels. */
export function uniform(count: number, lo: number, hi: number): Intervals {
  return { lo: new Float64Array(count).fill(lo), hi: new Float64Array(count).fill(hi) };
}

/** The smallest intervals that contain both; what zero padding makes of a channel is the hull with zero. */
export function hull(a: Intervals, b: Intervals): Intervals {
  return { lo: a.lo.map((x, c) => Math.min(x, b.lo[c]!)), hi: a.hi.map((x, c) => Math.max(x, b.hi[c]!)) };
}

/** The bounds of all channels together. */
export function overall({ lo, hi }: Intervals): readonly [lo: number, hi: number] {
  return [
    lo.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    hi.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
  ];
}

/** Bounds through a function that never falls. */
export function rising({ lo, hi }: Intervals, f: (x: number, channel: number) => number): Intervals {
  return { lo: lo.map(f), hi: hi.map(f) };
}

/** x + y, channel by channel. */
export function sum(a: Intervals, b: Intervals): Intervals {
  return { lo: a.lo.map((x, c) => x + b.lo[c]!), hi: a.hi.map((x, c) => x + b.hi[c]!) };
}

/** x · y, channel by channel. */
export function product(a: Intervals, b: Intervals): Intervals {
  const corners = (c: number) => [
    times(a.lo[c]!, b.lo[c]!),
    times(a.lo[c]!, b.hi[c]!),
    times(a.hi[c]!, b.lo[c]!),
    times(a.hi[c]!, b.hi[c]!),
  ];
  return { lo: a.lo.map((_, c) => Math.min(...corners(c))), hi: a.hi.map((_, c) => Math.max(...corners(c))) };
}

/** b + Σ w·x for every output channel: each weight takes the end of its input's interval that hurts. */
export function linear(
  weight: ArrayLike<number>,
  { output, input }: Connections,
  bias: readonly number[],
  x: Intervals,
  factor = 1,
): Intervals {
  const lo = Float64Array.from(bias);
  const hi = Float64Array.from(bias);
  for (let i = 0; i < weight.length; i++) {
    const w = weight[i]! * factor;
    if (w === 0) continue;
    const [o, c] = [output(i), input(i)];
    lo[o]! += times(w, w > 0 ? x.lo[c]! : x.hi[c]!);
    hi[o]! += times(w, w > 0 ? x.hi[c]! : x.lo[c]!);
  }
  return { lo, hi };
}

/** Zero times infinity is zero here: the infinity stands for a number that is not known. */
function times(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : a * b;
}

/**
 * What each channel always is, NaN where it varies. A width below 1e-9, or below 1e-6 of the number itself, is lost in
 * float32 before it reaches a reader. (The widths of other channels are no measure: bounds grow from layer to layer.)
 */
export function constants({ lo, hi }: Intervals): Float64Array {
  return Float64Array.from(lo, (low, c) => {
    const high = hi[c]!;
    const width = high - low;
    if (!Number.isFinite(width)) return Number.NaN;
    if (width > Math.max(1e-9, 1e-6 * Math.min(Math.abs(low), Math.abs(high)))) return Number.NaN;
    return low <= 0 && high >= 0 ? 0 : (low + high) / 2;
  });
}
