/** What quantizers do that PyTorch's goldens do not show: integers that are stored, and pairs that are none. */
import { describe, expect, test } from "vitest";
import { Tensor } from "../../../tensor/inner.ts";
import { expectGradients, gradientSuite } from "../../gradient-suite.ts";

describe("DequantizeLinear of stored integers", () => {
  gradientSuite({
    "one scale": {
      text: `f (float s) => (float y) <int8[2,3] q = {1,-2,3,4,-128,127}, int8 z = {3}> { y = DequantizeLinear(q, s, z) }`,
    },
    "a scale for each row": {
      text: `f (float[2] s) => (float y) <int8[2,3] q = {1,-2,3,4,-128,127}> { y = DequantizeLinear <axis = 0> (q, s) }`,
    },
    "a scale for each block": {
      text: `f (float[2,2] s) => (float y) <int8[2,3] q = {1,-2,3,4,-128,127}> {
         y = DequantizeLinear <axis = 1, block_size = 2> (q, s) }`,
    },
  });
});

const pair = (between: string, constants: string, scale = "s"): string =>
  `f (float[4] x) => (float y) <float s = {0.5}, ${constants}> {
     q = QuantizeLinear(x, s, z) ${between} y = DequantizeLinear(r, ${scale}, z) }`;

test("a pair whose scales differ is refused", async () => {
  const text = pair("r = Identity(q)", "int8 z = {0}");
  await expect(expectGradients({ text })).rejects.toThrow("its integers are computed");
  const other = pair("", "int8 z = {0}, float t = {0.25}", "t").replace("(r,", "(q,");
  await expect(expectGradients({ text: other })).rejects.toThrow("another scale or zero point");
});

test("two constants of the same content are the scale of one pair", async () => {
  const text = `f (float[3] x) => (float y, float q2) <float s = {0.5}, float t = {0.5}, uint8 z = {8}> {
     q = QuantizeLinear(x, s, z)  y = DequantizeLinear(q, t, z)  q2 = Mul(x, x) }`;
  // The pair is a staircase whose mean slope over whole steps is one, as the straight-through estimator says.
  const feeds = { x: Tensor.float32([3], [0.1, -1.2, 2.3]) };
  await expectGradients({ text, feeds, step: 1 });
});
