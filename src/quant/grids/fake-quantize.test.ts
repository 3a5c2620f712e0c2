/** Quantize and dequantize against AIMET's published vectors, and against exact arithmetic. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Tensor } from "../../tensor/inner.ts";
import type { IntGrid } from "./codec.ts";
import type { Encoding } from "./encoding.ts";
import { dequantize, quantize, quantizeDequantize } from "./fake-quantize.ts";
import { quantizeNumber } from "./integers.ts";
import { encodingOfRange } from "./ranged-encoding.ts";

const uint8: IntGrid = { kind: "int", bits: 8, signed: false };
const asymmetric = { grid: uint8, symmetric: false };

function aimet(values: number[], encoding: Encoding, shape: number[] = [values.length]): number[] {
  return quantizeDequantize(Tensor.float32(shape, values), encoding, "half-away").numbers();
}

function close(found: readonly number[], wanted: readonly number[], digits: number): void {
  expect(found.length).toBe(wanted.length);
  for (const [i, w] of wanted.entries()) expect(found[i]).toBeCloseTo(w, digits);
}

describe("AIMET's vectors", () => {
  const t = [-0.5, -0.25, 0, 0.25, 0.5, 0.75];

  test.each([
    [-0.46, 0.72, [-0.45811754, -0.2498823, 0, 0.2498823, 0.49976459, 0.72188222]],
    [0.5, 1, [0, 0, 0, 0.25098041, 0.49803925, 0.74901962]],
    [0.5, 0.5, [0, 0, 0, 0.24901962, 0.5, 0.5]],
    [-0.5, -0.1, [-0.5, -0.24901962, 0, 0, 0, 0]],
  ])("range %f … %f", (min, max, wanted) => {
    // Six digits are what float32 has; a tie decided otherwise would be off by a whole step (0.004).
    close(aimet(t, encodingOfRange(min, max, asymmetric)), wanted, 6);
  });

  test("integers", () => {
    const q = quantize(Tensor.float32([6], t), encodingOfRange(-0.46, 0.72, asymmetric), "half-away");
    expect([...q]).toEqual([0, 45, 99, 153, 207, 255]);
    const wide: Encoding = {
      ...encodingOfRange(-1, 1, { ...asymmetric, grid: { kind: "int", bits: 32, signed: true } }),
    };
    expect(quantize(Tensor.float32([1], [-1]), wide, "half-away")[0]! - 2 ** 31).toBe(-(2 ** 31));
  });

  test("calibrated on its own data, per tensor and per channel", () => {
    const first = [-40, -1, 0, 1, 2, -50, 80, 0];
    const second = [30, 10, 25, 3, 2, -50, 70, 1];
    const one = encodingOfRange(-50, 80, asymmetric);
    expect([...quantize(Tensor.float32([7], first.slice(0, 7)), one, "half-away")]).toEqual([
      20, 96, 98, 100, 102, 0, 255,
    ]);
    close(aimet(first.slice(0, 7), one), [-39.7647, -1.01961, 0, 1.01961, 2.03922, -49.9608, 80.0392], 4);
    const both = encodingOfRange([-50, -50], [80, 70], { ...asymmetric, granularity: { kind: "channel", axis: 0 } });
    const tensor = Tensor.float32([2, 8], [...first, ...second]);
    expect([...quantize(tensor, both, "half-away")].slice(8)).toEqual([170, 127, 159, 112, 110, 0, 255, 108]);
    const dequantized = quantizeDequantize(tensor, both, "half-away").numbers().slice(8);
    close(dequantized, [30.1176, 9.88235, 24.9412, 2.82353, 1.88235, -49.8824, 70.1176, 0.941176], 4);
  });

  test("per channel", () => {
    const encoding: Encoding = {
      grid: { kind: "int", bits: 8, signed: true },
      granularity: { kind: "channel", axis: 0 },
      symmetric: true,
      scale: [0.03, 0.05],
      offset: [-128, -128],
    };
    const x = [-7, -5, -3, 0, 0.1, 2.5];
    close(aimet([...x, ...x], encoding, [2, 6]), [-3.84, -3.84, -3, 0, 0.09, 2.49, -6.4, -5, -3, 0, 0.1, 2.5], 5);
  });

  test("every row and column apart (broadcast encodings, as blocks)", () => {
    const encoding: Encoding = {
      grid: uint8,
      granularity: { kind: "block", axis: 0, size: 2, channelAxis: 1 },
      symmetric: false,
      scale: [0.01, 0.1, 1, 10, 1, 10, 0.01, 0.1],
      offset: [-128, -128, 0, 0, 0, 0, 0, 0],
    };
    const found = aimet([40.23, -2, 3.4, 3.4, -40.23, 100, -7, 51, 2, 14, 1, 1, 300, -1, 9, 0.26], encoding, [4, 4]);
    close(found, [1.27, -2, 3, 0, -1.28, 12.7, 0, 50, 2, 10, 1, 1, 255, 0, 2.55, 0.3], 5);
  });
});

describe("any grid", () => {
  test("quantizing twice changes nothing, and the error inside the range is half a step", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 40 }),
        fc.constantFrom(2, 4, 8, 16),
        fc.boolean(),
        (values, bits, symmetric) => {
          const x = Tensor.float32([values.length], values);
          const encoding = encodingOfRange(Math.min(...values), Math.max(...values), {
            grid: { kind: "int", bits: bits as 2 | 4 | 8 | 16, signed: true },
            symmetric,
          });
          const once = quantizeDequantize(x, encoding);
          expect(quantizeDequantize(once, encoding).numbers()).toEqual(once.numbers());
          const scale = encoding.scale[0]!;
          const reach = symmetric && bits === 2 ? 1 : 0.5;
          once.numbers().forEach((y, i) => {
            // Next to half a step: float32 rounding of numbers up to 100.
            expect(Math.abs(y - values[i]!)).toBeLessThanOrEqual(scale * (reach + 1e-3) + 1e-5);
          });
        },
      ),
    );
  });

  test("half-even ties follow ONNX", () => {
    const encoding: Encoding = {
      grid: uint8,
      granularity: { kind: "tensor" },
      symmetric: false,
      scale: [1],
      offset: [-10],
    };
    const x = Tensor.float32([6], [0.5, 1.5, 2.5, -0.5, -1.5, 300]);
    expect([...quantize(x, encoding)]).toEqual([10, 12, 12, 10, 8, 255]);
    expect(dequantize(quantize(x, encoding), [6], encoding).numbers()).toEqual([0, 2, 2, 0, -2, 245]);
  });
});

test("long stretches are rounded in pieces, each element on the grid of its own channel", () => {
  const columns = 5000;
  const encoding: Encoding = {
    grid: uint8,
    granularity: { kind: "channel", axis: 1 },
    symmetric: false,
    scale: Array.from({ length: columns }, (_, c) => 2 ** -(1 + (c % 7))),
    offset: Array.from({ length: columns }, (_, c) => -(c % 11)),
  };
  const tensor = Tensor.float32(
    [2, columns],
    Float32Array.from({ length: 2 * columns }, (_, i) => (i % 97) / 8 - 3),
  );
  const wanted = tensor.numbers().map((x, i) => {
    const c = i % columns;
    return quantizeNumber(x, encoding.scale[c]!, encoding.offset[c]!, 255, "half-even");
  });
  expect([...quantize(tensor, encoding)]).toEqual(wanted);
  const numbers = wanted.map((q, i) => encoding.scale[i % columns]! * (q + encoding.offset[i % columns]!));
  expect(quantizeDequantize(tensor, encoding).numbers()).toEqual(numbers);
});
