/** A constant behind a DequantizeLinear, as text. */
import { expect, test } from "vitest";
import { entry, linesOf, lowered, named, nodesOf, parse, planOf } from "../../../test/hand-made-plan.ts";
import { parseModel } from "../../ir/inner.ts";
import { lower } from "../inner.ts";

const matmul = "f (float[2,4] x) => (float[2,6] y) <float[4,6] w> { y = MatMul(x, w) }";

test("a constant that an operator of nobody reads has its numbers all the same", () => {
  const odd = parseModel(
    '<ir_version: 8, opset_import: ["": 21, "com.example": 1]> f (float[2,4] x) => (float[2,4] y) <float[2,4] w> { y = com.example.Odd(x, w) }',
    { seed: 1 },
  );
  expect(linesOf(lowered(odd, entry("w", "weight", "int8")))).toEqual([
    "w_dequantized = DequantizeLinear(w_quantized, w_scale, w_zero_point)",
    "y = Odd(x, w_dequantized)",
  ]);
});

test("a constant of one scale has no axis, and a weight that is narrower than its type has no ends in the file", () => {
  const file = lowered(parse(matmul), entry("w", "weight", "int8", { offset: [-127] }));
  const [dequantize] = nodesOf(file).filter(({ op }) => op === "DequantizeLinear");
  expect([...dequantize!.attributes.keys()]).toEqual([]);
  expect([named(file, "w_lowest"), named(file, "w_highest")]).toEqual([undefined, undefined]);
  const { of } = lower(parse(matmul), planOf(entry("w", "weight", "int8")));
  expect([of("w")?.quantized?.name, of("w")?.dequantized?.name]).toEqual(["w_quantized", "w_dequantized"]);
});
