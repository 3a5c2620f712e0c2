/** What lowering writes for one entry at a time, without a runtime: operators, types, positions, names, shared scales. */
import { describe, expect, test } from "vitest";
import {
  attributesOf,
  entry,
  linesOf,
  lowered,
  named,
  nodesOf,
  parse,
  planOf,
  tensor,
  typeOf,
} from "../../../test/hand-made-plan.ts";
import type { Model } from "../../ir/inner.ts";
import { dtypes } from "../../tensor/inner.ts";
import { type Encoding, lower, type PlanEntry } from "../inner.ts";
import { requiredOpset } from "./lower.ts";

const relu = "f (float[2,4] x) => (float[2,4] y) { y = Relu(x) }";
const matmul = "f (float[2,4] x) => (float[2,6] y) <float[4,6] w> { y = MatMul(x, w) }";

describe("the operator set", () => {
  test.each([
    ["activation", "uint8", tensor, 13],
    ["activation", "uint4", tensor, 13],
    ["activation", "int2", tensor, 13],
    ["activation", "uint16", tensor, 21],
    ["activation", "float16", tensor, 13],
    ["weight", "int8", tensor, 13],
    ["weight", "int4", tensor, 21],
    ["weight", "int3", tensor, 21],
    ["weight", "int2", tensor, 25],
    ["weight", "int16", tensor, 21],
    ["weight", "bfloat16", tensor, 13],
    ["weight", "int8", { kind: "channel", axis: 0 }, 13],
    ["weight", "int8", { kind: "block", axis: 0, size: 2, channelAxis: 1 }, 21],
    ["bias", "int32", tensor, 13],
  ] as const)("%s %s %j needs %d", (kind, grid, granularity, version) => {
    const one = entry("w", kind, grid, { granularity });
    expect(requiredOpset(planOf(one))).toBe(version);
    expect(requiredOpset(planOf(entry("x", "activation", "uint8"), one)), "the highest of all decides").toBe(version);
  });

  test("is raised to what is needed, and never lowered", () => {
    expect(requiredOpset(planOf())).toBe(13);
    expect(lowered(parse(matmul, 11), entry("w", "weight", "int8")).opset).toBe(13);
    expect(lowered(parse(matmul, 17), entry("w", "weight", "int8")).opset).toBe(17);
    const raised = lowered(parse(matmul, 13), entry("w", "weight", "int4"));
    expect([raised.opset, raised.irVersion], "opset 21 came with version 10 of the format").toEqual([21, 10]);
    const later = parse(matmul, 13);
    later.irVersion = 11;
    expect(lowered(later, entry("w", "weight", "int8")).irVersion).toBe(11);
  });
});

describe("an activation", () => {
  test("of 8 bits: a pair of operators behind what computes it, typed, and an output of the model keeps its name", () => {
    const file = lowered(parse(relu), entry("x", "activation", "uint8"), entry("y", "activation", "uint8"));
    expect(linesOf(file)).toEqual([
      "x_quantized = QuantizeLinear(x, x_scale, x_zero_point)",
      "x_dequantized = DequantizeLinear(x_quantized, x_scale, x_zero_point)",
      "y_float = Relu(x_dequantized)",
      "y_quantized = QuantizeLinear(y_float, y_scale, y_zero_point)",
      "y = DequantizeLinear(y_quantized, y_scale, y_zero_point)",
    ]);
    expect(typeOf(file, "x_quantized")).toBe("uint8[2,4]");
    expect(typeOf(file, "x_dequantized")).toBe("float32[2,4]");
    expect(typeOf(file, "y")).toBe("float32[2,4]");
    expect(nodesOf(file).map((node) => node.name)).toEqual([
      "x_quantized_QuantizeLinear",
      "x_dequantized_DequantizeLinear",
      "Relu_y",
      "y_quantized_QuantizeLinear",
      "y_dequantized_DequantizeLinear",
    ]);
  });

  test("of fewer bits is clipped as integers, of 16 bits as floats, and not at all where the type ends with the grid", () => {
    const narrow = lowered(parse(relu), entry("x", "activation", "uint4"));
    expect(linesOf(narrow).slice(0, 3)).toEqual([
      "x_quantized = QuantizeLinear(x, x_scale, x_zero_point)",
      "x_clipped = Clip(x_quantized, x_lowest, x_highest)",
      "x_dequantized = DequantizeLinear(x_clipped, x_scale, x_zero_point)",
    ]);
    expect(typeOf(narrow, "x_clipped")).toBe("uint8[2,4]");
    const strict = lowered(parse(relu), entry("x", "activation", "int16", { offset: [-32767] }));
    expect(linesOf(strict).slice(0, 3)).toEqual([
      "x_clipped = Clip(x, x_lowest, x_highest)",
      "x_quantized = QuantizeLinear(x_clipped, x_scale, x_zero_point)",
      "x_dequantized = DequantizeLinear(x_quantized, x_scale, x_zero_point)",
    ]);
    expect(typeOf(strict, "x_clipped")).toBe("float32[2,4]");
    expect(named(strict, "x_lowest")!.initializer!.numbers()).toEqual([-16383.5]);
    const whole = lowered(parse(relu), entry("x", "activation", "int16"));
    expect(linesOf(whole)[0]).toBe("x_quantized = QuantizeLinear(x, x_scale, x_zero_point)");
    expect(named(whole, "x_lowest")).toBeUndefined();
  });

  test("signed integers are counted from their lowest number where the operators are of version 21, or the grid is narrow", () => {
    const typed = (opset: number, grid: string) => {
      const file = lowered(parse(relu, opset), entry("x", "activation", grid));
      const zero = named(file, "x_zero_point")!.initializer!;
      return `${typeOf(file, "x_quantized")} ${zero.dtype} ${zero.numbers()}`;
    };
    expect(typed(17, "int8")).toBe("int8[2,4] int8 0");
    expect(typed(21, "int8")).toBe("uint8[2,4] uint8 128");
    expect(typed(17, "int4")).toBe("uint8[2,4] uint8 8");
    expect(typed(21, "int16"), "16 bits stay as they are").toBe("int16[2,4] int16 0");
    expect(typed(17, "uint8")).toBe("uint8[2,4] uint8 128");
  });

  test("of a float grid: a Cast there and one back, each with its type", () => {
    for (const dtype of ["float16", "bfloat16"] as const) {
      const file = lowered(parse(relu), entry("y", "activation", dtype));
      expect(linesOf(file)).toEqual(["y_float = Relu(x)", `y_${dtype} = Cast(y_float)`, `y = Cast(y_${dtype})`]);
      expect(nodesOf(file).slice(1).map(attributesOf)).toEqual([
        { to: dtypes[dtype].onnx },
        { to: dtypes.float32.onnx },
      ]);
      expect(typeOf(file, `y_${dtype}`)).toBe(`${dtype}[2,4]`);
    }
  });

  test("those who read the float go on reading it; an output of the model, too, if it is one of them", () => {
    const text =
      "f (float[2,4] x) => (float[2,4] y, float[2,4] z, float[2,4] m) { m = Neg(x) y = Relu(m) z = Tanh(m) }";
    const one = entry("m", "activation", "uint8");
    const readers = (floatReaders?: string[]) => {
      const file = lowered(parse(text), floatReaders ? { ...one, floatReaders } : one);
      expect(file.graph.outputs.map((output) => output.name)).toEqual(["y", "z", "m"]);
      return [...linesOf(file).filter((line) => /^[yz] /.test(line)), file.graph.outputs[2]!.producer!.op];
    };
    expect(readers()).toEqual(["y = Relu(m)", "z = Tanh(m)", "DequantizeLinear"]);
    expect(readers(["z"])).toEqual(["y = Relu(m)", "z = Tanh(m_float)", "DequantizeLinear"]);
    expect(readers(["m"])).toEqual(["y = Relu(m_dequantized)", "z = Tanh(m_dequantized)", "Neg"]);
    const inside = lowered(parse("f (float[2,4] x) => (float[2,4] z) { m = Neg(x) z = Tanh(m) }"), one);
    expect(linesOf(inside).at(-1), "what is no output keeps its name").toBe("z = Tanh(m_dequantized)");
    expect(named(inside, "m")!.producer!.op).toBe("Neg");
  });

  test("values that are tied share scale and zero point, unless one has an encoding of its own", () => {
    const text = "f (float[2,4] x) => (float[4,2] y) { m = Relu(x) y = Transpose(m) }";
    const second = (more: Partial<Encoding>) => {
      const tied = { ...entry("y", "activation", "uint8", more), sharesEncodingOf: "m" };
      return linesOf(lowered(parse(text), entry("m", "activation", "uint8"), tied)).at(-1);
    };
    expect(second({})).toBe("y = DequantizeLinear(y_quantized, m_scale, m_zero_point)");
    expect(second({ scale: [0.25] })).toBe("y = DequantizeLinear(y_quantized, y_scale, y_zero_point)");
    expect(second({ offset: [-3] })).toBe("y = DequantizeLinear(y_quantized, y_scale, y_zero_point)");
    const free = lowered(parse(text), entry("m", "activation", "uint8"), entry("y", "activation", "uint8"));
    expect(linesOf(free).at(-1), "equal scales of two encodings are two").toContain("y_scale");
  });
});

describe("a constant", () => {
  const byChannel = {
    granularity: { kind: "channel", axis: 1 } as const,
    scale: [1, 2, 3, 4, 5, 6],
    offset: Array(6).fill(-128),
  };

  test("of 8 bits is read where it is needed, along its axis, and the float is gone", () => {
    const file = lowered(parse(matmul), entry("w", "weight", "int8", byChannel));
    expect(linesOf(file)).toEqual([
      "w_dequantized = DequantizeLinear(w_quantized, w_scale, w_zero_point)",
      "y = MatMul(x, w_dequantized)",
    ]);
    expect(attributesOf(nodesOf(file)[0]!)).toEqual({ axis: 1 });
    expect(typeOf(file, "w_dequantized")).toBe("float32[4,6]");
    expect(named(file, "w")).toBeUndefined();
    expect(named(file, "w_lowest"), "a weight is rounded into its grid, and needs no Clip").toBeUndefined();
    const whole = lowered(parse(matmul), entry("w", "weight", "int8"));
    expect(attributesOf(nodesOf(whole)[0]!)).toEqual({});
    expect(named(whole, "w_scale")!.initializer!.shape).toEqual([]);
  });

  test("of fewer bits is packed and widened by a Cast; blocks stay packed until they are read, but for 2 bits", () => {
    const stored = (grid: string, more: Partial<Encoding> = {}) => {
      const file = lowered(parse(matmul, 25), entry("w", "weight", grid, more));
      return [named(file, "w_quantized")!.initializer!.dtype, ...linesOf(file)];
    };
    const read = "w_dequantized = DequantizeLinear(w_int8, w_scale, w_zero_point)";
    expect(stored("int4")).toEqual(["int4", "w_int8 = Cast(w_quantized)", read, "y = MatMul(x, w_dequantized)"]);
    expect(stored("uint4").slice(1, 2)).toEqual(["w_uint8 = Cast(w_quantized)"]);
    expect(stored("int3").slice(0, 3)).toEqual(["int4", "w_int8 = Cast(w_quantized)", read]);
    expect(stored("int2").slice(0, 3)).toEqual(["int2", "w_int8 = Cast(w_quantized)", read]);
    const blocks = (bits: number) => ({
      granularity: { kind: "block", axis: 0, size: 2, channelAxis: 1 } as const,
      scale: Array(12).fill(0.5),
      offset: Array(12).fill(-(2 ** (bits - 1))),
    });
    const packed = [
      "w_dequantized = DequantizeLinear(w_quantized, w_scale, w_zero_point)",
      "y = MatMul(x, w_dequantized)",
    ];
    expect(stored("int4", blocks(4))).toEqual(["int4", ...packed]);
    expect(stored("int2", blocks(2)).slice(0, 3)).toEqual(["int2", "w_int8 = Cast(w_quantized)", read]);
    const file = lowered(parse(matmul), entry("w", "weight", "int4", blocks(4)));
    expect(attributesOf(nodesOf(file)[0]!)).toEqual({ axis: 0, block_size: 2 });
    expect(named(file, "w_scale")!.initializer!.shape).toEqual([2, 6]);
    const cast = lowered(parse(matmul), entry("w", "weight", "uint4"));
    expect(attributesOf(nodesOf(cast)[0]!)).toEqual({ to: dtypes.uint8.onnx });
  });

  test("a parameter keeps its sign; an operand beside activations is counted as they are", () => {
    const signOf = (text: string, version = 21) => {
      const file = lowered(parse(text, version), entry("w", "weight", "int8"));
      return named(file, "w_quantized")!.initializer!.dtype;
    };
    expect(signOf(matmul)).toBe("int8");
    expect(signOf("f (float[2,4] x) => (float[2,4] y) <float[4] w> { y = Mul(x, w) }")).toBe("uint8");
    expect(signOf("f (float[2,4] x) => (float[2,4] y) <float[4] w> { y = Mul(x, w) }", 17)).toBe("int8");
    const norm = "f (float[2,4] x) => (float[2,4] y) <float[4] w> { y = LayerNormalization(x, w) }";
    expect(signOf(norm)).toBe("int8");
    const first = "f (float[4,2] x) => (float[4,2] y) <float[4,4] w> { y = MatMul(w, x) }";
    expect(signOf(first), "in front of a product it is an operand").toBe("uint8");
    const both = "f (float[2,4] x) => (float[2,4] y) <float[4,4] w> { m = MatMul(x, w) y = MatMul(m, w) }";
    expect(signOf(both)).toBe("int8");
    const mixed = "f (float[4,4] x) => (float[4,4] y) <float[4,4] w> { m = MatMul(x, w) y = Add(m, w) }";
    expect(signOf(mixed), "one of its readers is enough").toBe("int8");
    const rnn =
      "f (float[2,1,3] x) => (float[2,1,1,4] y) <float[1,4,3] w, float[1,4,4] r> { y = RNN <hidden_size = 4> (x, w, r) }";
    expect(signOf(rnn)).toBe("int8");
  });

  test("of a float grid is stored in the narrower type, rounded to the nearest", () => {
    const file = lowered(parse(matmul), entry("w", "weight", "bfloat16"));
    expect(linesOf(file)).toEqual(["w_dequantized = Cast(w_bfloat16)", "y = MatMul(x, w_dequantized)"]);
    expect(attributesOf(nodesOf(file)[0]!)).toEqual({ to: dtypes.float32.onnx });
    const stored = (dtype: string) => named(lowered(parse(matmul), entry("w", "weight", dtype)), `w_${dtype}`)!;
    const given = named(parse(matmul), "w")!.initializer!.floats();
    for (const [dtype, significant] of [
      ["float16", 11],
      ["bfloat16", 8],
    ] as const) {
      const found = stored(dtype).initializer!;
      expect(found.dtype).toBe(dtype);
      // Half a unit in the last of its significant bits, and not much less: it is the type that is named.
      const errors = found.floats().map((x, i) => Math.abs(x / given[i]! - 1));
      expect(Math.max(...errors)).toBeLessThanOrEqual(2 ** -significant);
      expect(Math.max(...errors)).toBeGreaterThan(2 ** -(significant + 2));
    }
  });

  test("is read in front of the first of its readers, in the order of the graph", () => {
    // Consumers are listed as they were connected: the second product is told of the weight first.
    const text =
      "f (float[2,4] x) => (float[2,4] y) <float[4,4] w, float[4,4] v> { a = Relu(x) b = MatMul(a, v) y = MatMul(b, w) }";
    const model = parse(text);
    model.graph.setInput(nodesOf(model)[1]!, 1, named(model, "w")!);
    model.graph.removeInitializer(named(model, "v")!);
    expect(linesOf(lowered(model, entry("w", "weight", "int8")))).toEqual([
      "a = Relu(x)",
      "w_dequantized = DequantizeLinear(w_quantized, w_scale, w_zero_point)",
      "b = MatMul(a, w_dequantized)",
      "y = MatMul(b, w_dequantized)",
    ]);
  });

  test("that a body reads is read in front of the operator that holds the body", () => {
    const model = parse(`f (float[2,4] x, bool c) => (float[2,4] z) <float[4,4] w> {
      y = Relu(x)
      z = If (c) <
        then_branch = then () => (float[2,4] a) { a = MatMul(y, w) },
        else_branch = otherwise () => (float[2,4] b) { b = Identity(y) }> }`);
    expect(linesOf(lowered(model, entry("w", "weight", "int8")))).toEqual([
      "y = Relu(x)",
      "w_dequantized = DequantizeLinear(w_quantized, w_scale, w_zero_point)",
      "z = If(c)",
    ]);
  });
});

describe("a bias", () => {
  const gemm = "f (float[2,4] x) => (float[2,3] y) <float[4,3] w, float[3] b> { y = Gemm(x, w, b) }";
  const channels = {
    granularity: { kind: "channel", axis: 1 } as const,
    scale: [0.1, 0.2, 0.3],
    offset: [-128, -128, -128],
  };
  const bias = (more: Partial<PlanEntry> = {}, encoding: Partial<Encoding> = {}): PlanEntry => ({
    ...entry("b", "bias", "int32", {
      granularity: { kind: "channel", axis: 0 },
      scale: [9, 9, 9],
      offset: [0, 0, 0],
      ...encoding,
    }),
    scaleFrom: { input: "x", weight: "w" },
    ...more,
  });
  const input = entry("x", "activation", "uint8", { scale: [0.7] });

  test("has the float32 product of the scales in the file, a row for each channel, and no zero point", () => {
    const file = lowered(parse(gemm), input, entry("w", "weight", "int8", channels), bias());
    const scale = named(file, "b_scale")!.initializer!;
    const x = Math.fround(0.7);
    expect(scale.numbers()).toEqual([0.1, 0.2, 0.3].map((w) => Math.fround(x * Math.fround(w))));
    expect(scale.shape).toEqual([3]);
    const node = named(file, "b_dequantized")!.producer!;
    expect([node.inputs.map((v) => v!.name), attributesOf(node)]).toEqual([["b_quantized", "b_scale"], { axis: 0 }]);
    expect(named(file, "b_quantized")!.initializer!.dtype).toBe("int32");
    expect([typeOf(file, "b_dequantized"), named(file, "b")]).toEqual(["float32[3]", undefined]);
  });

  test("is in the record of what was written", () => {
    const { of } = lower(parse(gemm), planOf(input, entry("w", "weight", "int8", channels), bias()));
    expect([of("b")!.quantized!.name, of("b")!.dequantized!.name]).toEqual(["b_quantized", "b_dequantized"]);
  });

  test("of a weight with one scale has one, without an axis", () => {
    const one = bias({}, { granularity: tensor, scale: [9], offset: [0] });
    const file = lowered(parse(gemm), input, entry("w", "weight", "int8", { scale: [0.1] }), {
      ...one,
      granularity: tensor,
    });
    const scale = named(file, "b_scale")!.initializer!;
    expect([scale.shape, scale.numbers()]).toEqual([[], [Math.fround(Math.fround(0.7) * Math.fround(0.1))]]);
    expect(attributesOf(named(file, "b_dequantized")!.producer!)).toEqual({});
  });

  test("has the scales of its own encoding where those of the weight are not its rows", () => {
    const own = bias({}, { scale: [0.01, 0.02, 0.03] });
    const scales = (weight: PlanEntry) =>
      named(lowered(parse(gemm), input, weight, own), "b_scale")!.initializer!.numbers();
    const rows = [0.01, 0.02, 0.03].map(Math.fround);
    expect(scales(entry("w", "weight", "int8", { scale: [0.1] }))).toEqual(rows);
    const block = { kind: "block", axis: 0, size: 4, channelAxis: 1 } as const;
    const blocks = { granularity: block, scale: [0.1, 0.2, 0.3], offset: [-128, -128, -128] };
    expect(scales(entry("w", "weight", "int8", blocks)), "three blocks are no channels").toEqual(rows);
  });

  test("stays float without the encodings that its scale is made of", () => {
    const weight = entry("w", "weight", "int8", channels);
    const { encoding: _, ...without } = bias();
    for (const entries of [
      [weight, bias()],
      [input, bias()],
      [input, weight, without],
      [input, weight, bias({ scaleFrom: { input: "nothing", weight: "w" } })],
    ]) {
      const file = lowered(parse(gemm), ...entries);
      expect(named(file, "b_quantized")).toBeUndefined();
      expect(named(file, "b")!.initializer!.dtype).toBe("float32");
    }
    const { scaleFrom: __, ...alone } = bias();
    expect(named(lowered(parse(gemm), input, weight, alone), "b_quantized")).toBeUndefined();
  });
});

describe("names of nodes", () => {
  const names = (model: Model) => nodesOf(lowered(model)).map((node) => node.name);

  test("those that have one keep it; others are named by operator and output, and no name stands twice", () => {
    const model = parse("f (float[4] x) => (float[4] z) { a = Relu(x) b = Neg(a) c = Tanh(b) z = Abs(c) }");
    const [relu, , tanh] = nodesOf(model);
    relu!.name = "Neg_b";
    tanh!.name = "Neg_b_";
    expect(names(model)).toEqual(["Neg_b", "Neg_b__", "Neg_b_", "Abs_z"]);
  });

  test("an output that is left out names nothing", () => {
    const model = parse(`f (float[2,1,3] x) => (float[1,1,4] h) <float[1,4,3] w, float[1,4,4] r> {
      "", h = RNN <hidden_size = 4> (x, w, r) }`);
    expect(names(model)).toEqual(["RNN_h"]);
  });
});

describe("the order of the file", () => {
  test("what raising the operators put in front of other readers comes first", () => {
    // Softmax of opset 11 becomes three operators at 13, the first of which is told last of the constant.
    const model = parse(
      "f (float[4,4] x) => (float[4,4] y, float[4,4] s) <float[4,4] w> { s = Softmax <axis = 0> (w) y = MatMul(x, w) }",
      11,
    );
    const lines = linesOf(lowered(model, entry("w", "weight", "int8")));
    expect(lines[0]).toBe("w_dequantized = DequantizeLinear(w_quantized, w_scale, w_zero_point)");
    expect(lines.filter((line) => line.includes("w_dequantized")).length).toBeGreaterThan(2);
  });

  test("readers of the float that the model does not have are nobody", () => {
    const one = { ...entry("x", "activation", "uint8"), floatReaders: ["gone"] };
    expect(linesOf(lowered(parse(relu), one)).at(-1)).toBe("y = Relu(x_dequantized)");
  });

  test("what holds a float product in float has a name as all nodes have", () => {
    const conv = "f (float[1,4,5,5] x) => (float[1,4,5,5] y) <float[4,4,1,1] w> { y = Conv(x, w) }";
    const file = lowered(parse(conv), entry("x", "activation", "uint8"));
    expect(nodesOf(file).map((node) => node.op)).toEqual(["QuantizeLinear", "DequantizeLinear", "Max", "Conv"]);
    expect(nodesOf(file).every((node) => node.name !== "")).toBe(true);
  });
});
