/** Placement: which values are quantized, tied or left, and the sentence for each. Our own goldens, on small graphs. */
import { describe, expect, test } from "vitest";
import { type Model, parseModel, type TensorType, tensorType } from "../../ir/inner.ts";
import { gridName, type PlaceOptions, parseGrid, place, targetFile } from "../inner.ts";
import { parseTarget } from "../inner-files.ts";
import { builtinTarget } from "../targets/targets.ts";

const parse = (text: string) => parseModel(text, { seed: 1 });

function planOf(model: Model, target = "ort-cpu", options: Partial<PlaceOptions> = {}) {
  return place(model, builtinTarget(target), { shapes: new Map<string, TensorType>(), ...options });
}

/** One line a value, in the order of the plan: what is quantized and how, then what is not. */
function lines(text: string, target = "ort-cpu", options: Partial<PlaceOptions> = {}): string[] {
  const plan = planOf(parse(text), target, options);
  return [
    ...plan.entries.map((e) => {
      const slices =
        e.granularity.kind === "channel"
          ? ` axis ${e.granularity.axis}`
          : e.granularity.kind === "block"
            ? ` block ${e.granularity.size}`
            : "";
      const range = e.range ? ` ${e.range.min ?? ""}…${e.range.max ?? ""}` : "";
      return `${e.value}: ${e.kind} ${gridName(e.grid)}${e.symmetric ? " symmetric" : ""}${slices}${range}${e.sharesEncodingOf ? ` = ${e.sharesEncodingOf}` : ""}`;
    }),
    ...plan.notQuantized.map((l) => `${l.value} stays float: ${l.reason}`),
  ];
}

const block = `f (float[1,3,8,8] x) => (float[1,5] y) <float[16,3,3,3] w, float[16] b, float[16,1,3,3] dw, float lo = {0.0}, float hi = {6.0}, float[5,16] g, float[5] gb> {
  c = Conv(x, w, b)
  r = Clip(c, lo, hi)
  d = Conv <group = 16> (r, dw)
  s = Relu(d)
  p = GlobalAveragePool(s)
  f = Flatten(p)
  y = Gemm <transB = 1> (f, g, gb) }`;

describe("ort-cpu", () => {
  test("a small network, every value with its reason", () => {
    expect(lines(block)).toMatchInlineSnapshot(`
      [
        "r: activation uint8",
        "dw: weight int8 symmetric axis 0",
        "s: activation uint8",
        "p: activation uint8",
        "f: activation uint8 = p",
        "g: weight int8 symmetric axis 0",
        "gb: bias int32 symmetric axis 0",
        "x stays float: no integer kernel reads this input of the model",
        "w stays float: a Conv of fewer than 4 input channels is faster in float than on integers",
        "b stays float: a Conv of fewer than 4 input channels is faster in float than on integers",
        "c stays float: it is computed inside Conv + Clip, which the runtime runs as one kernel",
        "lo stays float: a constant that no integer kernel reads",
        "hi stays float: a constant that no integer kernel reads",
        "d stays float: it is computed inside Conv + Relu, which the runtime runs as one kernel",
        "y stays float: the integer kernel of Gemm gives float, and no reader takes integers",
      ]
    `);
  });

  test("a convolution of pictures and a narrow depthwise one stay float, unless there is nothing else", () => {
    const narrow = `c = Conv(x, w)
      d = Conv <group = 8> (c, dw)`;
    const weights = "float[8,3,1,1] w, float[8,1,3,3] dw";
    const more = lines(`f (float[1,3,8,8] x) => (float[1,4,6,6] y) <${weights}, float[4,8,1,1] v> {
      ${narrow}
      y = Conv(d, v) }`);
    expect(more.filter((line) => !line.includes("stays"))).toEqual([
      "d: activation uint8",
      "v: weight int8 symmetric axis 0",
      "y: activation uint8",
    ]);
    const nothing = lines(`f (float[1,3,8,8] x) => (float[1,8,6,6] d) <${weights}> {
      ${narrow} }`);
    expect(nothing.filter((line) => line.includes("stays"))).toEqual([]);
  });

  test("what is float before a MaxPool is quantized behind it; what is on integers stays there", () => {
    const pool = "MaxPool <kernel_shape = [2,2], strides = [2,2]>";
    const found =
      lines(`f (float[1,3,16,16] x) => (float[1,8,4,4] y) <float[8,3,1,1] w, float[8,8,1,1] v, float[8,8,1,1] u> {
      c = Conv(x, w)
      r = Relu(c)
      p = ${pool} (r)
      t = Transpose <perm = [0,1,3,2]> (p)
      d = Conv(t, v)
      q = ${pool} (d)
      y = Conv(q, u) }`);
    expect(found.filter((line) => line.includes("activation"))).toEqual([
      "p: activation uint8",
      "t: activation uint8 = p",
      "d: activation uint8",
      "q: activation uint8 = d",
      "y: activation uint8",
    ]);
  });

  test("what follows no integer kernel stays float", () => {
    expect(
      lines(`f (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4,4,1,1] w, float[4,1,1] s> {
      c = Conv(x, w)
      t = PRelu(c, s)
      e = Tanh(t)
      y = Sigmoid(e) }`),
    ).toMatchInlineSnapshot(`
        [
          "x: activation uint8",
          "w: weight int8 symmetric axis 0",
          "c: activation uint8",
          "s stays float: a constant that no integer kernel reads",
          "t stays float: ONNX Runtime has no integer kernel for it on CPU",
          "e stays float: ONNX Runtime has no integer kernel for it on CPU",
          "y stays float: it is an output of the model, and no integer kernel follows",
        ]
      `);
  });

  test("a residual of two branches: the sum is wanted by the next convolution", () => {
    expect(
      lines(`f (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4,4,1,1] w, float[4,4,1,1] v> {
      c = Conv(x, w)
      a = Add(c, x)
      r = Relu(a)
      y = Conv(r, v) }`).map((line) => line.split(":")[0]),
    ).toEqual(["x", "w", "c", "r", "v", "y", "a stays float"]);
  });

  test("a sum before float operators is not quantized", () => {
    const plan = planOf(
      parse(`f (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4,4,1,1] w> {
      c = Conv(x, w)
      a = Add(c, x)
      y = Tanh(a) }`),
    );
    expect(plan.notQuantized.find((l) => l.value === "a")!.reason).toBe(
      "Add has float beside it: integers would have to be turned back at once",
    );
  });

  test("four bits, blocks and sixteen-bit activations are a matter of options", () => {
    const text = "f (float[4,8] x) => (float[4,6] y) <float[8,6] w> { y = MatMul(x, w) }";
    expect(
      lines(text, "ort-cpu", {
        weights: parseGrid("int4"),
        granularity: { block: 4 },
        activations: parseGrid("uint16"),
      }),
    ).toEqual([
      "x: activation uint16",
      "w: weight int4 symmetric block 4",
      "y stays float: the integer kernel of MatMul gives float, and no reader takes integers",
    ]);
  });
});

test("three bits are placed for weights and activations", () => {
  const text = "f (float[4,8] x) => (float[4,6] y) <float[8,6] w> { y = MatMul(x, w) }";
  const three = { weights: parseGrid("int3"), activations: parseGrid("uint3") };
  expect(lines(text, "ort-cpu", three)).toEqual([
    "x: activation uint3",
    "w: weight int3 symmetric axis 1",
    "y stays float: the integer kernel of MatMul gives float, and no reader takes integers",
  ]);
});

test("grids that nothing quantizes to are refused, for weights and for activations", () => {
  const text = "f (float[4,8] x) => (float[4,6] y) <float[8,6] w> { y = MatMul(x, w) }";
  for (const grid of ["int32", "uint32"].map(parseGrid)) {
    for (const choice of [{ weights: grid }, { activations: grid }]) {
      expect(() => lines(text, "ort-cpu", choice)).toThrowError(
        expect.objectContaining({
          code: "quant/unsupported-grid",
          detail: expect.objectContaining({ hint: expect.any(String) }),
        }),
      );
    }
  }
});

test("float32 asks for no quantizer: weights alone, activations alone", () => {
  const text = "f (float[4,8] x) => (float[4,6] y) <float[8,6] w, float[6] b> { m = MatMul(x, w) y = Add(m, b) }";
  const float = parseGrid("float32");
  for (const target of ["ort-cpu", "aimet-default"]) {
    const weightsOnly = lines(text, target, { activations: float });
    expect(weightsOnly.filter((line) => !line.includes("stays float"))).toEqual(["w: weight int8 symmetric axis 1"]);
    const activationsOnly = lines(text, target, { weights: float });
    expect(activationsOnly).toContain("x: activation uint8");
    expect(activationsOnly.join()).not.toContain("weight int8");
    expect(() => lines(text, target, { weights: float, activations: float })).toThrowError(
      expect.objectContaining({ code: "quant/nothing-to-quantize" }),
    );
  }
});

test("a block size that does not divide falls back to channels with the reason, and is refused where it never fits", () => {
  const text = `f (float[1,3,6,6] x) => (float[1,8,2,2] y) <float[8,3,3,3] w, float[8,8,3,3] v> {
    c = Conv(x, w)
    y = Conv(c, v) }`;
  const reasons = (block: number) =>
    planOf(parse(text), "aimet-default", { granularity: { block } }).entries.flatMap(({ kind, granularity, reason }) =>
      kind === "weight" ? [[granularity.kind, reason]] : [],
    );
  expect(reasons(4)).toEqual([
    ["channel", "the weight of Conv: int8, a scale per channel: blocks of 4 do not divide 3 inputs"],
    ["block", "the weight of Conv: int8, a scale per block"],
  ]);
  for (const block of [1, 5, 16]) {
    expect(() => reasons(block)).toThrowError(expect.objectContaining({ code: "quant/unsupported-granularity" }));
  }
});

describe("aimet-default", () => {
  test("a small network", () => {
    expect(lines(block, "aimet-default")).toMatchInlineSnapshot(`
      [
        "x: activation uint8",
        "w: weight int8 symmetric axis 0",
        "r: activation uint8",
        "dw: weight int8 symmetric axis 0",
        "d: activation uint8",
        "s: activation uint8 = d",
        "p: activation uint8",
        "f: activation uint8 = p",
        "g: weight int8 symmetric axis 0",
        "y: activation uint8",
        "b stays float: the target keeps every bias in float",
        "c stays float: it is computed inside Conv + Clip, which the target runs as one operator",
        "lo stays float: a scalar constant costs nothing in float and loses nothing",
        "hi stays float: a scalar constant costs nothing in float and loses nothing",
        "gb stays float: the target keeps every bias in float",
      ]
    `);
  });

  test("Concat's inputs share the output's encoding, but not one that others read", () => {
    expect(
      lines(
        `f (float[1,4,8,8] x) => (float[1,12,8,8] k, float[1,4,8,8] z) <float[4,4,1,1] w, float[4,4,1,1] v> {
      a = Conv(x, w)
      b = Conv(x, v)
      m = MaxPool <kernel_shape = [1,1]> (b)
      s = Sigmoid(x)
      k = Concat <axis = 1> (a, m, s)
      z = Tanh(s) }`,
        "aimet-default",
      ).filter((line) => !line.includes("stays")),
    ).toEqual([
      "x: activation uint8",
      "w: weight int8 symmetric axis 0",
      "a: activation uint8 = k",
      "v: weight int8 symmetric axis 0",
      "b: activation uint8 = k",
      "m: activation uint8 = k",
      "s: activation uint8",
      "k: activation uint8",
      "z: activation uint8",
    ]);
  });

  test("Hexagon fixes the range of Softmax", () => {
    expect(
      lines(
        `f (float[1,4] x) => (float[1,4] y) <float[4,4] w> {
      m = MatMul(x, w)
      y = Softmax(m) }`,
        "htp-v73",
      ).at(-1),
    ).toBe("y: activation uint8 0…1");
  });
});

describe("what the user keeps in float", () => {
  const two = `f (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4,4,1,1] w, float[4,4,1,1] v> {
    [first_conv] c = Conv(x, w)
    r = Relu(c)
    [second_conv] y = Conv(r, v) }`;
  const quantized = (keepFloat: string[]) => planOf(parse(two), "ort-cpu", { keepFloat }).entries.map((e) => e.value);

  test.each([
    ["the name of a node", ["second_conv"], ["x", "w", "r"]],
    ["the name of a value", ["y"], ["x", "w", "r"]],
    ["a regular expression", ["/^first/"], ["r", "v", "y"]],
  ])("%s", (_, selectors, expected) => {
    expect(quantized(selectors)).toEqual(expected);
  });

  test("an operator type may leave nothing", () => {
    expect(() => quantized(["Conv"])).toThrowError(expect.objectContaining({ code: "quant/nothing-to-quantize" }));
  });

  test("a name that nobody has, with its neighbours", () => {
    expect(() => quantized(["secnd_conv"])).toThrowError(
      expect.objectContaining({
        code: "quant/no-such-value",
        detail: expect.objectContaining({ hint: expect.stringContaining("second_conv") }),
      }),
    );
    expect(() => quantized(["/(/"])).toThrowError(expect.objectContaining({ code: "usage/bad-value" }));
  });
});

describe("models that are refused", () => {
  const code = (text: string) => {
    try {
      planOf(parse(text));
    } catch (error) {
      return (error as { code?: string }).code;
    }
    return undefined;
  };

  test("one that is quantized already", () => {
    expect(
      code(`f (float[1,4] x) => (float[1,4] y) <float s = {0.1}, uint8 z = {3}> {
      q = QuantizeLinear(x, s, z)
      y = DequantizeLinear(q, s, z) }`),
    ).toBe("quant/already-quantized");
  });

  test("one in half precision", () => {
    expect(code("f (float16[1,4] x) => (float16[1,4] y) <float16[4,4] w> { y = MatMul(x, w) }")).toBe(
      "quant/unsupported-model",
    );
  });

  test("one with nothing to quantize", () => {
    expect(code("f (float[1,4] x) => (float[1,4] y) { y = Tanh(x) }")).toBe("quant/nothing-to-quantize");
  });
});

test("a target of one's own: inputs of Gemm only, symmetric, strict", () => {
  const target = parseTarget(
    {
      defaults: {
        ops: { is_symmetric: "True" },
        params: { is_quantized: "True", is_symmetric: "True" },
        strict_symmetric: "True",
      },
      params: { bias: { is_quantized: "False" } },
      op_type: { Gemm: { is_input_quantized: "True", is_output_quantized: "False" } },
      supergroups: [],
      model_input: {},
      model_output: {},
    },
    "mine",
  );
  const plan = place(parse(block), target, { shapes: new Map([["x", tensorType("float32", [1, 3, 8, 8])]]) });
  expect(plan.entries.filter((e) => e.kind === "activation").map((e) => [e.value, e.symmetric, e.narrowRange])).toEqual(
    [["f", true, true]],
  );
  expect(targetFile("ort-cpu").defaults.ops).toEqual({ is_output_quantized: "True" });
});
