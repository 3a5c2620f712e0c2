/** What dynamic int8 writes for one product, as text: shapes of scales and biases, and what goes. */
import { expect, test } from "vitest";
import { entry, linesOf, lowered, parse } from "../../../test/hand-made-plan.ts";
import type { Encoding } from "../grids/encoding.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";

const conv = (inputs: string) =>
  `f (float[1,2,4,4] x) => (float[1,3,4,4] y) <float[3,2,1,1] w, float[3] b> { y = Conv(${inputs}) }`;
const gemm = (attributes = "") =>
  `f (float[2,3] x) => (float[2,3] y) <float[3,3] w, float[3] b> { y = Gemm ${attributes} (x, w, b) }`;
const channel = (axis: number): Partial<Encoding> => ({
  granularity: { kind: "channel", axis },
  scale: [1, 2, 3],
  offset: [-128, -128, -128],
});

function written(text: string, more: Partial<Encoding> = {}) {
  const file = lowered(parse(text), { ...entry("w", "weight", "int8", more), storage: "dynamicint8" as const });
  const constants = [...file.graph.initializers].map(({ name, initializer }) => `${name} [${initializer!.shape}]`);
  return { lines: linesOf(file), constants: constants.sort() };
}

test("only an entry that asks for it", () => {
  const plain = entry("w", "weight", "int8");
  const value = parse(gemm()).graph.valuesByName().get("w")!;
  expect(dynamicInt8.matches(plain, value)).toBe(false);
  expect(dynamicInt8.matches({ ...plain, storage: "dynamicint8" }, value)).toBe(true);
});

test("a convolution with one scale, without and with a bias", () => {
  const { lines, constants } = written(conv("x, w"));
  expect(lines).toEqual([
    "x_quantized = DynamicQuantizeLinear(x)",
    "y_integers = ConvInteger(x_quantized, w_quantized, x_zero_point)",
    "y_cast = Cast(y_integers)",
    "y_scale = Mul(x_scale, w_scale)",
    "y = Mul(y_cast, y_scale)",
  ]);
  expect(constants).toEqual(["b [3]", "w_quantized [3,2,1,1]", "w_scale []"]);
  const biased = written(conv("x, w, b"));
  expect(biased.lines.slice(-2)).toEqual(["y_scaled = Mul(y_cast, y_scale)", "y = Add(y_scaled, b_column)"]);
  expect(biased.constants).toEqual(["b_column [3,1,1]", "w_quantized [3,2,1,1]", "w_scale []"]);
});

test("scales of channels in front of the positions of a convolution, along the outputs of a product", () => {
  expect(written(conv("x, w, b"), channel(0)).constants).toContain("w_scale [3,1,1]");
  expect(written(gemm(), channel(1)).constants).toEqual(["b [3]", "w_quantized [3,3]", "w_scale [3]"]);
  expect(written(gemm("<transB = 1>"), channel(0)).constants).toEqual(["b [3]", "w_scale [3]", "w_transposed [3,3]"]);
});

test("a zero point only where it is not zero", () => {
  const offset = { symmetric: false, offset: [-100] };
  expect(written(gemm(), offset).constants).toEqual(["b [3]", "w_quantized [3,3]", "w_scale []", "w_zero_point []"]);
  expect(written(gemm()).constants).toEqual(["b [3]", "w_quantized [3,3]", "w_scale []"]);
});
