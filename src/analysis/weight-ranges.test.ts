/** Statistics of weights against numbers made by hand. */
import { expect, test } from "vitest";
import { parseModel } from "../ir/inner.ts";
import { weightRanges } from "./weight-ranges.ts";

test("per output channel: range, mean, deviation, quartiles, and the multiple of the narrowest", () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[N,4] x) => (y)
    <float[3,4] w = {0, 1, 2, 3, -4, 0, 4, 8, 5, 5, 5, 5}> { [only] y = Gemm <transB = 1> (x, w) }`,
  );
  const [layer] = weightRanges(model);
  expect(layer).toMatchObject({ layer: "only", op: "Gemm", shape: [3, 4] });
  expect(layer!.channels).toEqual([
    { channel: 0, min: 0, max: 3, mean: 1.5, deviation: Math.sqrt(1.25), quartiles: [0.75, 1.5, 2.25], relative: 1 },
    { channel: 1, min: -4, max: 8, mean: 2, deviation: Math.sqrt(20), quartiles: [-1, 2, 5], relative: 4 },
    { channel: 2, min: 5, max: 5, mean: 5, deviation: 0, quartiles: [5, 5, 5], relative: 0 },
  ]);
});

test("outliers are beyond Q3 + 1.5 IQR; grouped and transposed layers count their own channels; a shared weight counts once", () => {
  const rows = Array.from({ length: 12 }, (_, c) => [0, c === 7 ? 40 : 1 + c / 10]);
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[1,2,5,5] x, float[N,2] r) => (y, z)
    <float[12,2] w = {${rows.flat().join(",")}}, float[2,1,3,3] d, float[2,3,1,1] t, float[2,2] s> {
      [wide] a = Gemm <transB = 1> (r, w) [deep] b = Conv <group = 2> (x, d) [up] y = ConvTranspose(b, t)
      [one] c = MatMul(r, s) [two] z = MatMul(c, s) }`,
    { seed: 1 },
  );
  const found = weightRanges(model);
  expect(found.map(({ layer, channels }) => [layer, channels.length])).toEqual([
    ["wide", 12],
    ["deep", 2],
    ["up", 3],
    ["one", 2],
  ]);
  expect(found[0]!.outliers).toEqual([7]);
});
