/** Grids of integers: whole steps of a scale. */
import { roundHalfAway, roundHalfEven } from "../../base/inner.ts";
import { type DType, dtypes } from "../../tensor/inner.ts";
import type { IntGrid, ScaledCodec, TieRounding } from "./codec.ts";
import { type Bits, integerWidths } from "./names.ts";
import { affineOfRange, rangeOfAffine } from "./range.ts";

/** Wider integers are the grid of biases: sums of products of the others. */
const widest = 16;

/** ONNX's types for integers by their bits, each with the operator set from which on QuantizeLinear and DequantizeLinear take it. */
const opsets: Readonly<Record<number, number>> = { 2: 25, 4: 21, 8: 13, 16: 21, 32: 13 };

/** The codec of the integers of a width. */
export function integers(bits: Bits, signed: boolean): ScaledCodec {
  const grid: IntGrid = { kind: "int", bits, signed };
  const most = 2 ** bits - 1;
  const half = 2 ** (bits - 1);
  const name = `${signed ? "" : "u"}int${bits}` as const;
  const typed = (width: number) => `${signed ? "" : "u"}int${width}` as DType;
  const stored = typed(Object.keys(opsets).map(Number).find((width) => width >= bits)!); // biome-ignore format: one chain
  // ONNX Runtime 1.30 has integer kernels for 8 bits only, and refuses many models with activations of fewer (docs/onnx-runtime.md).
  const quantizer = bits < 8 ? typed(8) : stored;
  const width = dtypes[quantizer].bits;
  return {
    name,
    grid,
    bits,
    kernel: "linear",
    stored,
    quantizer,
    lowestOffset: -most,
    shift: signed ? half : 0,
    typeEnds: signed ? { low: -(2 ** (width - 1)), high: 2 ** (width - 1) - 1 } : { low: 0, high: 2 ** width - 1 },
    opset: (use) => opsets[dtypes[use === "activation" ? quantizer : stored].bits]!,
    refusal: (use) => (use !== "bias" && bits > widest ? tooWide : undefined),
    // Those that are packed are the lowest bits of a byte, whatever its sign.
    encode: (numbers, codes, at) => (codes as Int8Array).set(numbers, at),
    // A strict symmetric grid has one step fewer than its bits allow; it is told by its offset, as in AIMET.
    ends: (low, symmetric) => ({ low, high: symmetric && low === 1 - half ? -low : low + most }),
    affine: affineOfRange,
    range: rangeOfAffine,
    propose: (seen, choice, useful) => seen.propose(choice, useful),
    nearest: (x, start, out, { scales, lows, highs }, slice, step, ties) => {
      for (let k = 0, of = slice; k < out.length; k++, of += step) {
        const low = lows[of]!;
        out[k] = low + quantizeNumber(x[start + k]!, scales[of]!, low, highs[of]! - low, ties);
      }
    },
  };
}

const tooWide = {
  expected: `a grid of ${integerWidths[0]} to ${widest} bits`,
  hint: `int32 is the grid of biases; int${widest} is the widest of all others`,
};

/** The integer 0 … top of one number; float32 arithmetic throughout. */
export function quantizeNumber(x: number, scale: number, offset: number, top: number, ties: TieRounding): number {
  const f = Math.fround;
  const s = f(scale);
  if (ties === "half-even") {
    // QuantizeLinear saturates after adding the zero point.
    return Math.min(Math.max(roundHalfEven(f(f(x) / s)) - offset, 0), top);
  }
  const low = f(s * f(offset));
  const high = f(s * f(offset + top));
  const inside = Math.min(Math.max(f(x), low), high);
  return Math.min(Math.max(roundHalfAway(f(f(inside / s) - f(offset))), 0), top);
}
