/**
 * A strided sample of a value, taken inside the graph: every so-manieth number along its axes, from places that a seed chooses anew for
 * each run. Of a value of a million numbers some thousand cross the door, spread evenly over it, and over many runs each number is as
 * likely to be among them as any other.
 */
import type { Random } from "../base/inner.ts";
import { addNode, type Graph, tensorType, type Value } from "../ir/inner.ts";
import { type Feeds, type Shape, sizeOf, Tensor } from "../tensor/inner.ts";

export interface Stride {
  /** Ascending, without repetition. */
  readonly axes: readonly number[];
  /** For each axis: every how manieth index is taken. */
  readonly steps: readonly number[];
}

/** ONNX Runtime cuts ends to the length of the axis. */
const beyondAnyEnd = 2 ** 31 - 1;
/** The first operator set in which Slice has steps. */
export const leastStridedOpset = 10;

/**
 * Steps along the axes from `from` on that leave at most `most` numbers of a value of this shape, as long as these axes have so many; the
 * longest axis is thinned first. Null where there are no more numbers than that.
 */
export function strideOf(shape: Shape, most: number, from: number): Stride | null {
  const axes = shape.map((_, axis) => axis).slice(from);
  const steps = axes.map(() => 1);
  const left = (i: number) => Math.ceil(shape[axes[i]!]! / steps[i]!);
  let numbers = sizeOf(shape);
  if (numbers <= most) return null;
  while (numbers > most) {
    const longest = axes.reduce((best, _, i) => (left(i) > left(best) ? i : best), 0);
    if (axes.length === 0 || left(longest) <= 1) break;
    const before = left(longest);
    // To the next step that leaves fewer, and no single steps for long axes.
    steps[longest] = Math.max(steps[longest]! + 1, Math.floor(steps[longest]! * Math.min(numbers / most, 1.25)));
    numbers = (numbers / before) * left(longest);
  }
  const thinned = steps.flatMap((step, i) => (step > 1 ? [i] : []));
  if (thinned.length === 0) return null;
  return { axes: thinned.map((i) => axes[i]!), steps: thinned.map((i) => steps[i]!) };
}

/** The samples of some values, and what the inputs that say where they begin are fed: other places in each run. */
export class StridedSamples {
  readonly #random: Random;
  readonly #strides = new Map<string, Stride>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Appends a sample of each of these values, all from the same places, and an input that says from which. */
  add(graph: Graph, values: readonly Value[], stride: Stride): Value[] {
    const count = stride.axes.length;
    const { name } = values[0]!;
    const constant = (what: string, numbers: readonly number[]) =>
      graph.addInitializer(`${name}:${what}`, Tensor.int64([count], numbers));
    const start = graph.addInput(`${name}:start`, tensorType("int64", [count]));
    this.#strides.set(start.name, stride);
    const [ends, axes, steps] = [
      constant("ends", new Array<number>(count).fill(beyondAnyEnd)),
      constant("axes", stride.axes),
      constant("steps", stride.steps),
    ];
    return values.map(
      (value) =>
        addNode(graph, "Slice", [value, start, ends, axes, steps], {}, { output: `${value.name}:sample` }).output,
    );
  }

  /** What the inputs are fed in the next run. */
  next(): Feeds {
    return Object.fromEntries(
      [...this.#strides].map(([input, { steps }]) => {
        const starts = steps.map((step) => this.#random.integer(step));
        return [input, Tensor.int64([steps.length], starts)];
      }),
    );
  }
}
