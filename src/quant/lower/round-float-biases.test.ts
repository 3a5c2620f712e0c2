/** Float biases next to integers: what a runtime will make of them is in the file to begin with. */
import { describe, expect, test } from "vitest";
import { entry, lowered, named, parse } from "../../../test/hand-made-plan.ts";
import { Tensor } from "../../tensor/inner.ts";
import { roundFloatBiases } from "./round-float-biases.ts";

describe("a bias in float next to integers", () => {
  const text = "f (float[1,2,1,1] x) => (float y) <float[2,2,1,1] w, float[2] b = {0.3, -1.1}> { y = Conv(x, w, b) }";
  const [x, w] = [entry("x", "activation", "uint8"), entry("w", "weight", "int8")];
  const biasOf = (...entries: Parameters<typeof entry>[]) =>
    named(lowered(parse(text), ...entries.map((e) => entry(...e))), "b")!.initializer!.floats();

  test("is rounded to the step of the accumulator, 0.5 · 0.5, half to even", () => {
    expect([...named(lowered(parse(text), x, w), "b")!.initializer!.floats()]).toEqual([0.25, -1]);
    const half = text.replace("0.3, -1.1", "0.125, 0.375");
    expect([...named(lowered(parse(half), x, w), "b")!.initializer!.floats()]).toEqual([0, 0.5]);
  });

  test("by channel, where the weight has scales per channel", () => {
    const channels = { granularity: { kind: "channel", axis: 0 }, scale: [0.5, 0.25], offset: [-128, -128] } as const;
    const file = lowered(parse(text), x, entry("w", "weight", "int8", channels));
    expect([...named(file, "b")!.initializer!.floats()]).toEqual([0.25, -1.125]);
  });

  test("stays within 32 bits, in a file that protects it by no scale", () => {
    const file =
      parse(`f (uint8[1,2,1,1] q) => (float y) <float s = {0.5}, uint8 z = {0}, int8[2,2,1,1] v, int8 n = {0}, float[2] b = {1e10, -1e10}> {
      x = DequantizeLinear(q, s, z) w = DequantizeLinear(v, s, n) y = Conv(x, w, b) }`);
    expect(roundFloatBiases(file.graph)).toBe(1);
    expect([...named(file, "b")!.initializer!.floats()]).toEqual([2 ** 29, -(2 ** 29)]);
  });

  test("that others read as well is copied", () => {
    const shared = text.replace("float y)", "float y, float z)").replace("(x, w, b)", "(x, w, b) z = Neg(b)");
    const file = lowered(parse(shared), x, w);
    expect([...named(file, "b")!.initializer!.floats()]).toEqual([Math.fround(0.3), Math.fround(-1.1)]);
    expect([...named(file, "b_rounded")!.initializer!.floats()]).toEqual([0.25, -1]);
  });

  test("is left alone next to a float operand, and next to integers of other widths", () => {
    const kept = [Math.fround(0.3), Math.fround(-1.1)];
    expect([...biasOf(["x", "activation", "uint8"])]).toEqual(kept);
    expect([...biasOf(["w", "weight", "int8"])]).toEqual(kept);
    expect([...biasOf(["x", "activation", "uint16"], ["w", "weight", "int8"])]).toEqual(kept);
    expect([...biasOf(["x", "activation", "uint8"], ["w", "weight", "int16"])]).toEqual(kept);
  });

  describe("in a file that is written by hand", () => {
    const inputs = "uint8[1,2,1,1] q, uint8[1,2,1,1] k, float t, float[2] bias";
    const constants = `float s = {0.5}, float[2] two = {0.5, 0.25}, float[1,2] pair = {0.5, 0.5}, uint8 z = {0}, int8 n = {0},
      int8[2] nn = {0, 0}, int32 i = {0}, int8[2,2,1,1] v, int32[2,2,1,1] v32 = {1,2,3,4}, float[2,2,1,1] f, float[2] b = {0.3, -1.1}, float16[2] h`;
    const file = (body: string) => parse(`f (${inputs}) => (float y) <${constants}> { ${body} }`);
    const conv = (x = "q, s, z", w = "v, s, n", bias = "b", op = "Conv", attributes = "") =>
      file(`x = DequantizeLinear(${x}) w = DequantizeLinear ${attributes} (${w}) y = ${op}(x, w, ${bias})`);

    test("of Conv alone, and only with a constant bias of float32", () => {
      expect(roundFloatBiases(conv().graph)).toBe(1);
      expect(roundFloatBiases(conv("q, s, z", "v, s, n", "b", "com.microsoft.Conv").graph)).toBe(0);
      expect(roundFloatBiases(conv("q, s, z", "v, s, n", "b", "ConvTranspose").graph)).toBe(0);
      expect(roundFloatBiases(conv("q, s, z", "v, s, n", "bias").graph)).toBe(0);
      expect(roundFloatBiases(conv("q, s, z", "v, s, n", "h").graph)).toBe(0);
      expect(
        roundFloatBiases(file("x = DequantizeLinear(q, s, z) w = DequantizeLinear(v, s, n) y = Conv(x, w)").graph),
      ).toBe(0);
      expect(roundFloatBiases(file("y = Add(b, b)").graph)).toBe(0);
    });

    test("with scales that are known, one for the input and one a channel of the weight", () => {
      expect(roundFloatBiases(conv("q, t, z").graph)).toBe(0);
      expect(roundFloatBiases(conv("q, two, z").graph)).toBe(0);
      expect(roundFloatBiases(conv("q, s, z", "v, t, n").graph)).toBe(0);
      expect(roundFloatBiases(conv("q, s, z", "v32, s, i").graph)).toBe(0);
      expect(roundFloatBiases(conv("q, s, z", "v, s").graph), "without a zero point the type is not told").toBe(0);
      const computed = file(
        "e = Identity(n) x = DequantizeLinear(q, s, z) w = DequantizeLinear(v, s, e) y = Conv(x, w, b)",
      );
      expect(roundFloatBiases(computed.graph)).toBe(0);
      const dynamic = file("x = DequantizeLinear(q, s, z) w = DequantizeLinear(v, s, n) y = Conv(q, w, b)");
      expect(roundFloatBiases(dynamic.graph)).toBe(0);
    });

    test("not in blocks, and not with other scales than channels", () => {
      expect(roundFloatBiases(conv("q, s, z", "v, two, nn", "b", "Conv", "<axis = 0>").graph)).toBe(1);
      expect(roundFloatBiases(conv("q, s, z", "v, two, nn", "b", "Conv", "<axis = 0, block_size = 1>").graph)).toBe(0);
      const three = conv("q, s, z", "v, two, nn", "b", "Conv", "<axis = 0>");
      const scales = named(three, "b")!;
      scales.initializer = Tensor.float32([3], [0.3, 0.3, 0.3]);
      expect(roundFloatBiases(three.graph)).toBe(0);
    });

    test("within 32 bits, down to the last of them", () => {
      const low = conv();
      named(low, "b")!.initializer = Tensor.float32([2], [-(2 ** 31) / 4, 2 ** 40]);
      roundFloatBiases(low.graph);
      expect([...named(low, "b")!.initializer!.floats()]).toEqual([-(2 ** 29), 2 ** 29]);
    });
  });
});
