/** What a model answers for one sample, small enough to be drawn: texts, boxes, masks, signals and images. */
import type { Box, MaskLabels } from "../../data/inner.ts";

/** A picture of few values: one digit a cell, row by row, 0 … 9 and a … z. */
export interface Cells {
  readonly width: number;
  readonly height: number;
  readonly digits: string;
}

export type View =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "boxes"; readonly boxes: readonly ShownBox[] }
  /** `classes` has the class of each digit. */
  | { readonly kind: "mask"; readonly cells: Cells; readonly classes: readonly number[] }
  /** The lowest and highest number of each stretch. */
  | { readonly kind: "signal"; readonly low: readonly number[]; readonly high: readonly number[] }
  /** 0 is black and f white. */
  | { readonly kind: "image"; readonly cells: Cells };

export interface ShownBox extends Box {
  readonly score?: number | undefined;
}

/** Cells of the longer side, and stretches of a signal. */
const longest = 64;
const stretches = 160;

/** Boxes with a higher score are drawn: below it are the many guesses that only count in the precision. */
const drawnScore = 0.3;

export function boxView(boxes: readonly ShownBox[]): View {
  return { kind: "boxes", boxes: boxes.filter(({ score = 1 }) => score >= drawnScore).slice(0, 30) };
}

/** Classes by the number of their digit; the last stands for all that are too many. */
export function maskView(classes: ArrayLike<number>, height: number, width: number): View {
  const found: number[] = [];
  const cells = shrunk(height, width, (at) => {
    const label = classes[at]!;
    if (!found.includes(label) && found.length < 35) found.push(label);
    return found.indexOf(label) < 0 ? 35 : found.indexOf(label);
  });
  return { kind: "mask", cells, classes: found };
}

/** Each sample of a batch: the classes that were chosen, sample after sample, and those that are true. */
export function maskViews(
  { classes, places }: { readonly classes: ArrayLike<number>; readonly places: number },
  { size, height, width, at }: Pick<MaskLabels, "height" | "width" | "at"> & { readonly size: number },
): { readonly found: View; readonly truth: View }[] {
  const chosen = Array.from(classes);
  return Array.from({ length: size }, (_, n) => ({
    found: maskView(chosen.slice(n * places, (n + 1) * places), height, width),
    truth: maskView(at(n), height, width),
  }));
}

export function signalView(values: ArrayLike<number>): View {
  const count = Math.min(stretches, values.length);
  const low: number[] = [];
  const high: number[] = [];
  for (let i = 0; i < count; i++) {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let at = Math.floor((i * values.length) / count); at < Math.floor(((i + 1) * values.length) / count); at++) {
      least = Math.min(least, values[at]!);
      most = Math.max(most, values[at]!);
    }
    low.push(Number(least.toPrecision(3)));
    high.push(Number(most.toPrecision(3)));
  }
  return { kind: "signal", low, high };
}

/** Numbers [channels, height, width] or [height, width, channels] in grey, the darkest black; null where it is no image. */
export function imageView(shape: readonly number[], values: ArrayLike<number>): (View & { kind: "image" }) | null {
  const [a = 0, b = 0, c = 0] = shape;
  const last = shape.length === 3 && (c === 1 || c === 3);
  const [channels, height, width] = shape.length === 2 ? [1, a, b] : last ? [c, a, b] : [a, b, c];
  if (![1, 3].includes(channels) || Math.min(height, width) < 8 || shape.length < 2 || shape.length > 3) return null;
  const size = height * width;
  const grey = (at: number) => {
    let sum = 0;
    for (let k = 0; k < channels; k++) sum += values[last ? at * channels + k : k * size + at]!;
    return sum;
  };
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = 0; at < size; at++) {
    least = Math.min(least, grey(at));
    most = Math.max(most, grey(at));
  }
  const range = most - least || 1;
  return { kind: "image", cells: shrunk(height, width, (at) => Math.round((15 * (grey(at) - least)) / range)) };
}

/** Every so many-th pixel, at most `longest` a side. */
function shrunk(height: number, width: number, digit: (at: number) => number): Cells {
  const step = Math.max(1, Math.max(height, width) / longest);
  const [rows, columns] = [Math.max(1, Math.floor(height / step)), Math.max(1, Math.floor(width / step))];
  let digits = "";
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const value = digit(Math.floor((y + 0.5) * step) * width + Math.floor((x + 0.5) * step));
      digits += (Number.isFinite(value) ? value : 0).toString(36);
    }
  }
  return { width: columns, height: rows, digits };
}
