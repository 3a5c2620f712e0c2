/**
 * Learned rounding in a block: the quantizer of a weight, s · clip(round(W / s)), becomes s · (⌊W / s⌋ + h(V)) with AdaRound's
 * rectified sigmoid h (Nagel et al., 2020, eq. 16 and 23), so that gradients decide between the two neighbours.
 */
import { Emitter } from "../../autodiff/inner.ts";
import { invariant, roundHalfEven } from "../../base/inner.ts";
import type { Model, Value } from "../../ir/inner.ts";
import { type Encoding, endsOf, forEachRun } from "../../quant/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { alphaOf, gamma, rectifiedSigmoid, zeta } from "../adaround/math.ts";

/** One weight that is rounded again. All arrays have the order of the weight's elements. */
export interface Rounding {
  /** Name of the weight's constant, and of the variable V. */
  readonly weight: string;
  readonly variable: string;
  readonly shape: readonly number[];
  /** ⌊W / s⌋, kept on the grid with its upper neighbour. */
  readonly floor: Float32Array;
  /** The integers that were found before. */
  readonly rounded: Float32Array;
  /** V where the search starts. */
  readonly start: Float32Array;
  readonly encoding: Encoding;
  /** Name of the constant that multiplies the scales of the encoding; null where there is none. */
  readonly factor: string | null;
}

/**
 * The rounding of `float` on a grid, from integers that were found before: `rounded` lies on the grid, or is the float weight
 * itself (then nearest rounding is where it starts). h starts between where the float weight lies and the found integer,
 * `ahead` of the way; 0 makes the soft weight the float one.
 */
export function roundingOf(
  weight: string,
  float: Tensor,
  rounded: Tensor,
  encoding: Encoding,
  ahead: number,
  factor: string | null = null,
): Rounding {
  const [w, found] = [float.floats(), rounded.floats()];
  const [floor, start, integers] = [0, 1, 2].map(() => new Float32Array(w.length)) as [
    Float32Array<ArrayBuffer>,
    Float32Array<ArrayBuffer>,
    Float32Array<ArrayBuffer>,
  ];
  forEachRun(float.shape, encoding.granularity, (slice, first, end) => {
    const s = Math.fround(encoding.scale[slice]!);
    const { low, high } = endsOf(encoding, slice);
    const inside = (q: number, most: number) => Math.min(Math.max(q, low), most);
    for (let i = first; i < end; i++) {
      const integer = inside(roundHalfEven(found[i]! / s), high);
      let base = inside(Math.floor(w[i]! / s), high - 1);
      // Methods that go further than a neighbour are followed.
      if (integer !== base && integer !== base + 1) base = integer < base ? integer : integer - 1;
      const rest = Math.min(Math.max(w[i]! / s - base, 0), 1);
      // Adding 0 turns −0 into 0.
      floor[i] = base + 0;
      integers[i] = integer + 0;
      start[i] = alphaOf(rest + ahead * (integer - base - rest));
    }
  });
  return {
    weight,
    variable: `${weight}.rounding`,
    shape: float.shape,
    floor,
    rounded: integers,
    start,
    encoding,
    factor,
  };
}

/** The integers that V stands for once it is hard. */
export function hardIntegers(rounding: Rounding, variable: Float32Array): Float32Array {
  return rounding.floor.map((base, i) => base + (rectifiedSigmoid(variable[i]!) >= 0.5 ? 1 : 0));
}

/** The encoding under which integers were learned: the scales times their factors, in float32 as the graph multiplies them. */
export function learnedEncoding({ encoding }: Rounding, factor: Float32Array | null): Encoding {
  if (!factor) return encoding;
  const factorOf = (i: number) => factor[factor.length === 1 ? 0 : i]!;
  return { ...encoding, scale: encoding.scale.map((s, i) => Math.fround(Math.fround(s) * factorOf(i))) };
}

/** Ŵ: integers times the scales of an encoding. */
export function onGrid({ shape }: Rounding, integers: Float32Array, encoding: Encoding): Tensor {
  const values = new Float32Array(integers.length);
  forEachRun(shape, encoding.granularity, (slice, first, end) => {
    const s = Math.fround(encoding.scale[slice]!);
    for (let i = first; i < end; i++) values[i] = s * integers[i]!;
  });
  return Tensor.float32(shape, values);
}

/**
 * Puts soft rounding in the place of a weight's quantizer in a trainable model; `read` is what the layer reads. Returns h.
 * The scale stays what it is there, learned or not.
 */
export function softenWeight(model: Model, read: Value, rounding: Rounding): Value {
  const scaled = read.producer;
  invariant(scaled?.op === "Mul", `${read.name} is no quantized weight`);
  const { graph } = model;
  const e = new Emitter(graph).at({ before: scaled });
  const variable = graph.addInitializer(rounding.variable, Tensor.float32(rounding.shape, rounding.start));
  invariant(variable.name === rounding.variable, `${rounding.variable} is taken`);
  const stretched = e.add(e.mul(e.op("Sigmoid", [variable]), zeta - gamma), e.scalar(gamma));
  const h = e.op("Clip", [stretched, e.scalar(0), e.scalar(1)]);
  const floor = graph.addInitializer(`${rounding.weight}.floor`, Tensor.float32(rounding.shape, rounding.floor));
  graph.setInput(scaled, 0, e.add(floor, h));
  return h;
}
