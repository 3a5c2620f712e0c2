/** What quantizers do that PyTorch's goldens do not show: integers that are stored, and pairs that are none. */
import { describe, expect, test } from "vitest";
import { backwardOperators } from "../../../../test/backward-operators.ts";
import { inferTypes } from "../../../facts/inner.ts";
import { parseModel } from "../../../ir/inner.ts";
import { openRuntime } from "../../../runtime/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import { differentiate, gradientModel, seedPrefix } from "../../differentiate.ts";
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
    "one scale as a list of one": {
      text: `f (float[1] s) => (float y) <int8[2,3] q = {1,-2,3,4,-128,127}> { y = DequantizeLinear(q, s) }`,
    },
    "a scale for each block of one row": {
      text: `f (float[1,2] s) => (float y) <int8[1,3] q = {1,-2,3}> {
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

/** The gradient of x where every element of y counts once: 1 within the grid, 0 outside. */
async function throughPair(zero: string, x: readonly number[]): Promise<number[]> {
  const z = zero && ", z";
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[${x.length}] x) => (float[${x.length}] y) <float s = {0.5}${zero}> {
       q = QuantizeLinear(x, s${z}) y = DequantizeLinear(q, s${z}) }`,
  );
  const built = gradientModel(model, ["x"], { types: inferTypes(model), outputs: ["y"] });
  await using session = await (await openRuntime()).open(built, { optimization: "off" });
  const feeds = {
    x: Tensor.float32([x.length], x),
    [`${seedPrefix}y`]: Tensor.float32([x.length], new Float32Array(x.length).fill(1)),
  };
  return [...(await session.run(feeds, ["gradient_x"])).gradient_x!.floats()];
}

test.each([
  // The grid ends half a step beyond its last integers: 0.5 · 255.5 = 127.75, and so on.
  ["uint8 without a zero point", "", [-0.26, -0.24, 60, 127.7, 127.8]],
  ["uint8", ", uint8 z = {10}", [-5.26, -5.24, 60, 122.7, 122.8]],
  ["int8", ", int8 z = {3}", [-65.8, -65.7, 1, 62.2, 62.3]],
  ["uint16", ", uint16 z = {0}", [-0.26, -0.24, 60, 32767.7, 32767.8]],
] as const)("where the grid of %s ends, the gradient does", async (_, zero, x) => {
  expect(await throughPair(zero, x)).toEqual([0, 1, 1, 1, 0]);
});

test("a pair on a grid of floats is refused", () => {
  const text = `f (float[4] x) => (float y) <float s = {0.5}, float8e4m3fn z = {0}> {
     q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }`;
  expect(() => backwardOperators(text, "x")).toThrow("float8e4m3fn is no grid of integers");
});

const other = (constants: string, there: string, back: string, inputs = "") =>
  `f (float[4] x${inputs}) => (float y) <${constants}> {
     q = QuantizeLinear(x, ${there}) y = DequantizeLinear(q, ${back}) }`;
const two = "float s = {0.5}, float t = {0.5}";

test.each([
  ["a zero point behind alone", other("float s = {0.5}, uint8 z = {3}", "s", "s, z")],
  ["a zero point in front alone", other("float s = {0.5}, uint8 z = {3}", "s, z", "s")],
  ["zero points of two types", other("float s = {0.5}, uint8 z = {0}, int8 o = {0}", "s, z", "s, o")],
  ["scales of two shapes", other("float s = {0.5}, float[1] t = {0.5}, uint8 z = {0}", "s, z", "t, z")],
  ["a computed scale behind", other("float s = {0.5}, uint8 z = {0}", "s, z", "t, z", ", float t")],
  ["a computed scale in front", other("float s = {0.5}, uint8 z = {0}", "t, z", "s, z", ", float t")],
  ["a scale that is trained behind", other(`${two}, uint8 z = {0}`, "s, z", "t, z"), "t"],
  ["a scale that is trained in front", other(`${two}, uint8 z = {0}`, "s, z", "t, z"), "s"],
] as const)("no pair: %s", (_, text, ...trained) => {
  expect(() => backwardOperators(text, "x", ...trained)).toThrow("another scale or zero point");
});

test("a quantizer of another domain is no half of a pair", () => {
  const text = `f (float[4] x) => (float y) <float s = {0.5}, uint8 z = {3}> {
     q = com.microsoft.QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }`;
  expect(() => backwardOperators(text, "x")).toThrow("not by a QuantizeLinear that it would be a pair with");
});

test.each(["", "1"])("the gradient of one scale has its shape, [%s]", async (lengths) => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float${lengths && `[${lengths}]`} s) => (float[2,3] y) <int8[2,3] q = {1,-2,3,4,-5,6}> {
       y = DequantizeLinear(q, s) }`,
  );
  const built = gradientModel(model, ["s"], { types: inferTypes(model), outputs: ["y"] });
  await using session = await (await openRuntime()).open(built, { optimization: "off" });
  const shape = lengths === "" ? [] : [1];
  const feeds = {
    s: Tensor.float32(shape, [0.5]),
    [`${seedPrefix}y`]: Tensor.float32([2, 3], new Float32Array(6).fill(1)),
  };
  const { gradient_s: found } = await session.run(feeds, ["gradient_s"]);
  expect([found!.shape, [...found!.floats()]]).toEqual([shape, [7]]);
});

test.each(["s", "t"])("constants of one content of which %s is trained where it lies are no pair", (trained) => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[4] x) => (float[4] y) <float s = {0.5}, float t = {0.5}, uint8 z = {0}, float[4] one> {
       q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, t, z) }`,
    { seed: 1 },
  );
  const of = (name: string) => model.graph.valuesByName().get(name)!;
  const seeds = [{ value: of("y"), gradient: of("one") }];
  expect(() => differentiate(model, seeds, [of("x"), of(trained)], { types: inferTypes(model) })).toThrow(
    "another scale or zero point",
  );
});
