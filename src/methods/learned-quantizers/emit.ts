/**
 * Quantizers that can be trained, x̂ = s · clip(round(x / s), low, high), as nodes with gradients to x, s and low (learned
 * step sizes: Esser et al., 2020; learned ends: Jain et al., 2020, and AIMET's range learning). Rounding passes gradients
 * straight through.
 */
import { type Emitter, passStraightThrough } from "../../autodiff/inner.ts";
import type { Value } from "../../ir/inner.ts";
import type { Ends } from "../../quant/inner.ts";
import { Tensor } from "../../tensor/inner.ts";

/** round(x), through which gradients pass unchanged. */
export function roundStraightThrough(e: Emitter, x: Value): Value {
  const rounded = e.op("Round", [x]);
  passStraightThrough(rounded.producer!);
  return rounded;
}

/**
 * A weight on its grid; `scale` and the whole numbers at its ends broadcast against it. Weights are small, so plain arithmetic
 * serves every bit width.
 */
export function quantizeWeight(
  e: Emitter,
  weight: Value,
  scale: Value,
  { low, high }: { readonly low: Value; readonly high: Value },
): Value {
  const steps = roundStraightThrough(e, e.div(weight, scale));
  const scalars = low.initializer?.shape.length === 0 && high.initializer?.shape.length === 0;
  const inside = scalars ? e.op("Clip", [steps, low, high]) : e.op("Min", [e.op("Max", [steps, low]), high]);
  return e.mul(inside, scale);
}

/** An activation on a grid whose ends are fixed whole numbers, with a learned scalar scale. */
export function quantizeWithScale(e: Emitter, x: Value, scale: Value, { low, high }: Ends): Value {
  const { zero, narrow } = storageOf({ low, high });
  const inside = narrow ? e.op("Clip", [x, e.mul(scale, low - half), e.mul(scale, high + half)]) : x;
  return throughIntegers(e, inside, scale, e.constant(zero));
}

/**
 * An activation whose range min … max is learned: s = (max − min) / N, low = round(min / s). Both ends are scalars, min ≤ 0 ≤ max.
 */
export function quantizeWithRange(e: Emitter, x: Value, min: Value, max: Value, bits: number): Value {
  const steps = 2 ** bits - 1;
  const scale = e.mul(e.sub(max, min), 1 / steps);
  const low = e.op("Clip", [roundStraightThrough(e, e.div(min, scale)), e.scalar(-steps), e.scalar(0)]);
  if (bits < 8) {
    const end = (beyond: number) => e.mul(e.add(low, e.scalar(beyond)), scale);
    const inside = e.op("Clip", [x, end(-half), end(steps + half)]);
    return throughIntegers(e, inside, scale, e.constant(Tensor.of("int8", [], Int8Array.of(0))));
  }
  const zero = e.op("Cast", [e.neg(low)], { to: bits === 8 ? uint8 : uint16 });
  passStraightThrough(zero.producer!);
  return throughIntegers(e, x, scale, zero);
}

/** What lies up to here beyond an end is rounded to it, and not clipped: its gradient passes, as in AIMET. */
const half = 0.4999;

const uint8 = 2;
const uint16 = 4;

/** Q and DQ run at memory speed, where the same in plain arithmetic takes five passes. */
function throughIntegers(e: Emitter, x: Value, scale: Value, zero: Value): Value {
  return e.op("DequantizeLinear", [e.op("QuantizeLinear", [x, scale, zero]), scale, zero]);
}

/** The integer type that holds low … high, the zero point that puts them there, and whether its ends lie further out. */
function storageOf({ low, high }: Ends): { zero: Tensor; narrow: boolean } {
  const span = high - low;
  if (span === 255 && low <= 0) {
    if (low === -128) return { zero: Tensor.of("int8", [], Int8Array.of(0)), narrow: false };
    return { zero: Tensor.of("uint8", [], Uint8Array.of(-low)), narrow: false };
  }
  if (span === 65535 && low <= 0) {
    if (low === -32768) return { zero: Tensor.of("int16", [], Int16Array.of(0)), narrow: false };
    return { zero: Tensor.of("uint16", [], Uint16Array.of(-low)), narrow: false };
  }
  if (low >= -128 && high <= 127) return { zero: Tensor.of("int8", [], Int8Array.of(0)), narrow: true };
  return { zero: Tensor.of("int16", [], Int16Array.of(0)), narrow: true };
}
