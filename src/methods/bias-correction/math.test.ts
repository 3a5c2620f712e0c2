/** The arithmetic of bias correction against AIMET's golden numbers and against patches of every sample. */

import fc from "fast-check";
import { expect, test } from "vitest";
import { matrixLayers } from "../../facts/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { clippedNormal } from "../expectations/normal.ts";
import { biasShift, MeanInput, meanPatch } from "./math.ts";

/** AIMET's case: W = 0 … 17 of [3, 2, 3, 1], Ŵ = W + 1, b = 5, γ = [1, 3], β = [−2, 1]. */
const golden = { groups: 1, outputs: 3, columns: 6 };
const weight = Float64Array.from({ length: 18 }, (_, i) => i);
const rounded = weight.map((w) => w + 1);
const overKernel = (means: readonly number[]) => means.flatMap((m) => [m, m, m]);

test("an output that is 1 too high takes 1 from the bias: [10, 10] → 9", () => {
  const shift = biasShift({ groups: 1, outputs: 2, columns: 1 }, [2, 3], [2.25, 3.25], [4], [4]);
  expect(Array.from(shift, (s) => 10 + s)).toEqual([9, 9]);
});

test("each group reads its own means", () => {
  const layer = { groups: 2, outputs: 2, columns: 2 };
  const weight = [1, 2, 3, 4, 5, 6, 7, 8];
  const rounded = weight.map((w) => w - 1);
  // W m − Ŵ m is the sum of m; the quantized mean of the second group is off by (1, 0), which takes Ŵ's first column.
  const shift = biasShift(layer, weight, rounded, [1, 10, 100, 1000], [1, 10, 101, 1000]);
  expect(Array.from(shift)).toEqual([11, 11, 1100 - 4, 1100 - 6]);
});

test("AIMET's golden number without activation: 8", () => {
  const mean = overKernel([-2, 1]);
  expect(Array.from(biasShift(golden, weight, rounded, mean, mean), (s) => 5 + s)).toEqual([8, 8, 8]);
});

test("AIMET's golden number behind a ReLU: −0.3135972", () => {
  const mean = overKernel([clippedNormal(-2, 1, 0, Infinity).mean, clippedNormal(1, 3, 0, Infinity).mean]);
  // AIMET computes in float32, near 5: its last digits are worth 5e-7.
  for (const s of biasShift(golden, weight, rounded, mean, mean))
    expect(Math.abs(5 + s + 0.3135972)).toBeLessThan(1e-6);
});

const conv = (attributes: string, shape: string, weightShape: string) =>
  parseModel(`<ir_version: 8, opset_import: ["": 17]>
    g (float${shape} x) => (float y) <float${weightShape} w = {${new Array(product(weightShape)).fill(0.5).join(",")}}>
    { y = ${attributes} (x, w) }`);

function product(shape: string): number {
  return shape
    .slice(1, -1)
    .split(",")
    .reduce((a, b) => a * Number(b), 1);
}

test.each([
  ["Conv <pads = [1, 1, 1, 1], strides = [2, 2]>", "[N,4,5,6]", "[3,4,3,3]"],
  ["Conv <pads = [1, 0, 1, 2], group = 4>", "[N,4,5,6]", "[4,1,3,3]"],
  ['Conv <auto_pad = "SAME_UPPER", dilations = [2]>', "[N,4,9]", "[2,4,3]"],
  ["Conv <pads = [1, 1, 1, 0, 0, 0]>", "[N,2,3,4,3]", "[2,2,2,2,2]"],
  ["ConvTranspose <strides = [2, 2], pads = [1, 1, 0, 0], group = 2>", "[N,4,3,4]", "[4,3,3,3]"],
  ["MatMul", "[N,5,4]", "[4,3]"],
  ["Gemm", "[N,4]", "[4,3]"],
])("the mean input has the mean patch: %s", (attributes, shape, weightShape) => {
  const [layer] = matrixLayers(conv(attributes, shape, weightShape).graph);
  const each = shape.slice(1, -1).split(",").slice(1).map(Number);
  const size = each.reduce((a, b) => a * b, 1);
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: size, maxLength: size }), {
        minLength: 1,
        maxLength: 5,
      }),
      (samples) => {
        const mean = new MeanInput();
        // In batches of uneven size.
        mean.see(Tensor.float32([1, ...each], samples[0]!));
        if (samples.length > 1) mean.see(Tensor.float32([samples.length - 1, ...each], samples.slice(1).flat()));
        const found = mean.patch(layer!);
        const reference = meanPatch(layer!, Tensor.float32([samples.length, ...each], samples.flat()));
        // The mean input is rounded to float32 once: numbers up to 8, 2⁻²⁴ of each.
        found.forEach((value, i) => {
          expect(Math.abs(value - reference[i]!)).toBeLessThan(1e-6);
        });
      },
    ),
    { numRuns: 20 },
  );
});

test("samples of different sizes count by their positions", () => {
  const [layer] = matrixLayers(conv("Conv", "[N,1,L]", "[1,1,2]").graph);
  const mean = new MeanInput();
  mean.see(Tensor.float32([1, 1, 3], [1, 2, 3]));
  mean.see(Tensor.float32([1, 1, 2], [10, 20]));
  // Patches: (1, 2), (2, 3), (10, 20).
  expect(Array.from(mean.patch(layer!))).toEqual([13 / 3, 25 / 3]);
});
