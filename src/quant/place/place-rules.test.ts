/** The rules of placement one by one: on a graph that differs in one thing, what one value becomes, with its reason. */
import { describe, expect, test } from "vitest";
import { parseModel, type TensorType } from "../../ir/inner.ts";
import { isMoved, type PlaceOptions, type Plan, parseGrid, place, targetFile } from "../inner.ts";
import { parseTarget } from "../inner-files.ts";
import { builtinTarget } from "../targets/targets.ts";

function planOf(text: string, target: string, options: Partial<PlaceOptions> = {}): Plan {
  return place(parseModel(text, { seed: 1 }), builtinTarget(target), {
    shapes: new Map<string, TensorType>(),
    ...options,
  });
}
const entryOf = (plan: Plan, value: string) => plan.entries.find((entry) => entry.value === value)!;
const whyFloat = (plan: Plan, value: string) => plan.notQuantized.find((left) => left.value === value)?.reason;
const hasEntry = (plan: Plan, value: string) => plan.entries.some((entry) => entry.value === value);

describe("what shares a scale of a weight", () => {
  const matmul = "f (float[4,8] x) => (float[4,6] y) <float[8,6] w> { y = MatMul(x, w) }";
  const vector = "f (float[4,8] x) => (float[4] y) <float[8] w> { y = MatMul(x, w) }";
  const several = "f (float[2,4,8] x) => (float[2,4,6] y) <float[2,8,6] w> { y = MatMul(x, w) }";
  const transposed = (group: number) => `f (float[1,4,5,5] x) => (float[1,${6 * group},5,5] y) <float[4,6,1,1] w> {
    y = ConvTranspose <group = ${group}> (x, w) }`;
  const conv = "f (float[1,4,5,5] x) => (float[1,6,5,5] y) <float[6,4,1,1] w> { y = Conv(x, w) }";
  const channel = (axis: number) => ({ kind: "channel", axis });
  const tensor = { kind: "tensor" };
  const one = "int8, one scale";
  test.each([
    ["the target's wish", matmul, "ort-cpu", undefined, channel(1), "MatMul: int8, a scale per channel"],
    ["no channels asked for", matmul, "ort-cpu", "tensor", tensor, `MatMul: ${one}`],
    ["channels asked for", matmul, "aimet-default", "channel", channel(1), "MatMul: int8, a scale per channel"],
    ["a vector", vector, "ort-cpu", undefined, tensor, `MatMul: ${one}`],
    ["a vector, asked", vector, "ort-cpu", "channel", tensor, `MatMul: ${one}: a vector has one channel`],
    ["matrices on kernels", several, "ort-cpu", undefined, tensor, `MatMul: ${one}`],
    [
      "matrices on kernels, asked",
      several,
      "ort-cpu",
      "channel",
      tensor,
      `MatMul: ${one}: its integer kernel has one scale for several matrices`,
    ],
    ["matrices without kernels", several, "aimet-default", "channel", channel(2), "MatMul: int8, a scale per channel"],
    ["a convolution", conv, "aimet-default", "channel", channel(0), "Conv: int8, a scale per channel"],
    [
      "one transposed",
      transposed(1),
      "aimet-default",
      "channel",
      channel(1),
      "ConvTranspose: int8, a scale per channel",
    ],
    ["its groups", transposed(2), "aimet-default", undefined, tensor, `ConvTranspose: ${one}`],
    [
      "its groups, asked",
      transposed(2),
      "aimet-default",
      "channel",
      tensor,
      `ConvTranspose: ${one}: the groups of a ConvTranspose share its channels`,
    ],
    [
      "blocks",
      matmul,
      "aimet-default",
      { block: 2 },
      { kind: "block", axis: 0, size: 2, channelAxis: 1 },
      "MatMul: int8, a scale per block",
    ],
    [
      "blocks of a convolution",
      conv,
      "aimet-default",
      { block: 4 },
      { kind: "block", axis: 1, size: 4, channelAxis: 0 },
      "Conv: int8, a scale per block",
    ],
  ] as const)("%s", (_, text, target, granularity, wanted, reason) => {
    const entry = entryOf(planOf(text, target, { granularity }), "w");
    expect(entry.granularity).toEqual(wanted);
    expect(entry.reason).toBe(`the weight of ${reason}`);
  });

  test("a weight that two nodes read says so", () => {
    const text = `f (float[4,8] x) => (float[4,8] y) <float[8,8] w> { m = MatMul(x, w) y = MatMul(m, w) }`;
    expect(entryOf(planOf(text, "aimet-default"), "w").reason).toContain("MatMul (shared by 2 nodes): int8");
  });

  test("pairs of products are kept within 16 bits where a kernel adds them so: int8, not depthwise", () => {
    const text = `f (float[1,16,8,8] x) => (float[1,16,6,6] y) <float[16,16,1,1] w, float[16,1,3,3] d> {
      c = Conv(x, w)
      y = Conv <group = 16> (c, d) }`;
    const pairs = (target: string, weights: string) =>
      ["w", "d"].map((name) => entryOf(planOf(text, target, { weights: parseGrid(weights) }), name).pairSafe);
    expect(pairs("ort-cpu", "int8")).toEqual([true, undefined]);
    expect(pairs("ort-cpu", "uint8")).toEqual([undefined, undefined]);
    expect(pairs("ort-cpu", "int4")).toEqual([undefined, undefined]);
    expect(pairs("aimet-default", "int8")).toEqual([undefined, undefined]);
  });
});

describe("biases", () => {
  const gemm = (attributes = "", bias = "[6]") =>
    `f (float[4,8] x) => (float[4,6] y) <float[8,6] w, float${bias} b> { y = Gemm${attributes}(x, w, b) }`;
  test.each([
    ["of the output channels", gemm(), undefined],
    ["one for all channels", gemm("", "[1]"), "a bias that is no vector of the output channels has no integer kernel"],
    ["a row", gemm("", "[1,6]"), "a bias that is no vector of the output channels has no integer kernel"],
    ["scaled by beta", gemm(" <beta = 2.0> "), "alpha or beta of Gemm scale it"],
    ["beside alpha", gemm(" <alpha = 2.0> "), "alpha or beta of Gemm scale it"],
    [
      "shared by two layers",
      `f (float[4,8] x) => (float[4,6] y, float[4,6] z) <float[8,6] w, float[8,6] v, float[6] b> {
        y = Gemm(x, w, b)
        z = Gemm(x, v, b) }`,
      "several operators share it or its weight, each with its own input scale",
    ],
    [
      "beside a shared weight",
      `f (float[4,8] x) => (float[4,8] y, float[4,8] z) <float[8,8] w, float[8] b, float[8] d> {
        y = Gemm(x, w, b)
        z = Gemm(x, w, d) }`,
      "several operators share it or its weight, each with its own input scale",
    ],
  ])("%s", (_, text, reason) => {
    const plan = planOf(text, "ort-cpu");
    if (reason) expect(whyFloat(plan, "b")).toBe(reason);
    else expect(entryOf(plan, "b")).toMatchObject({ kind: "bias", scaleFrom: { input: "x", weight: "w" } });
  });

  test("of an Add behind a product, and of a grouped ConvTranspose", () => {
    const added = "f (float[4,8] x) => (float[4,6] y) <float[8,6] w, float[6] b> { m = MatMul(x, w) y = Add(m, b) }";
    expect(entryOf(planOf(added, "ort-cpu"), "b")).toMatchObject({ kind: "bias", scaleFrom: { input: "x" } });
    expect(whyFloat(planOf(added, "aimet-default"), "b")).toBe("the target keeps biases in float");
  });

  test("stay float with activations in float, and where the input is not quantized", () => {
    const added = "f (float[4,8] x) => (float[4,6] y) <float[8,6] w, float[6] b> { m = MatMul(x, w) y = Add(m, b) }";
    const float = { activations: parseGrid("float32") };
    expect(whyFloat(planOf(added, "ort-cpu", float), "b")).toBe("no integers are added: activations are float");
    expect(entryOf(planOf(added, "ort-cpu", float), "w").kind).toBe("weight");
    const behind = `f (float[4,8] x) => (float[4,6] y) <float[8,8] v, float[8,6] w, float[6] b> {
      m = MatMul(x, v)
      t = Tanh(m)
      y = Gemm(t, w, b) }`;
    expect(hasEntry(planOf(behind, "ort-cpu", { keepFloat: ["/^t$/"] }), "w")).toBe(true);
    expect(whyFloat(planOf(behind, "ort-cpu", { keepFloat: ["y"] }), "w")).toBe("you asked for y to stay in float");
  });
});

describe("what the rules of a target say of activations", () => {
  const two = `f (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4,4,1,1] w, float[4,4,1,1] v, float[1,4,1,1] k> {
    c = Conv(x, w)
    m = Mul(c, k)
    r = Reshape(m, shape)
    y = Conv(r, v) }`.replace("float[1,4,1,1] k>", "float[1,4,1,1] k, int64[4] shape = {1, 4, 8, 8}>");
  const planned = () => planOf(two, "aimet-default");

  test("inputs, constants beside data, outputs, and what only moves", () => {
    const plan = planned();
    expect(entryOf(plan, "x").reason).toBe("the target quantizes the inputs of the model");
    const beside = { kind: "weight", grid: parseGrid("uint8"), granularity: { kind: "tensor" }, symmetric: false };
    expect(entryOf(plan, "k")).toMatchObject(beside);
    expect(entryOf(plan, "k").parameter).toBeUndefined();
    expect(entryOf(plan, "k").reason).toBe("a constant beside quantized data is quantized as an input of the model");
    expect(entryOf(plan, "c").reason).toBe("the target quantizes the output of Conv");
    expect(entryOf(plan, "r")).toMatchObject({ sharesEncodingOf: "m", reason: "Reshape only moves what m holds" });
    expect(entryOf(plan, "y").reason).toBe("the target quantizes the output of Conv");
    expect(entryOf(planOf(two, "enpu-v7"), "y").reason).toBe("the target quantizes the outputs of the model");
  });

  test("an entry is moved where an operator only moves what another one holds, and not where encodings are shared", () => {
    const model = parseModel(two, { seed: 1 });
    const plan = planned();
    expect(plan.entries.filter((entry) => isMoved(model, entry)).map((entry) => entry.value)).toEqual(["r"]);
    const { sharesEncodingOf: _, ...free } = entryOf(plan, "r");
    expect(isMoved(model, free)).toBe(false);
    // A value that the model lacks, and an input of the model, come from no operator.
    for (const value of ["nowhere", "x"]) expect(isMoved(model, { ...entryOf(plan, "r"), value })).toBe(false);
    const joined = `f (float[1,4] x) => (float[1,8] y) <float[4,4] w, float[4,4] v> {
      a = MatMul(x, w)
      b = MatMul(x, v)
      y = Concat <axis = 1> (a, b) }`;
    const shared = planOf(joined, "aimet-default");
    expect(entryOf(shared, "a").reason).toMatch(/; it shares the encoding of y$/);
    expect(shared.entries.some((entry) => isMoved(parseModel(joined, { seed: 1 }), entry))).toBe(false);
  });

  test("what only kept operators read stays float, but not an output of the model", () => {
    const kept = planOf(two, "aimet-default", { keepFloat: ["Mul"] });
    expect(whyFloat(kept, "c")).toBe("it is only read by what stays in float: you asked for Mul to stay in float");
    expect(whyFloat(kept, "k")).toBe("it is only read by what stays in float: you asked for Mul to stay in float");
    expect(whyFloat(kept, "m")).toBe("you asked for Mul to stay in float");
    expect(whyFloat(kept, "r")).toBe("Reshape only moves data, and m is not quantized");
    const input = planOf(two, "aimet-default", { keepFloat: ["c"] });
    expect(whyFloat(input, "x")).toBe("it is only read by what stays in float: you asked for c to stay in float");
  });

  test("operators that are kept run with nothing", () => {
    const unit = `f (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4,4,1,1] w> { c = Conv(x, w) r = Relu(c) y = Tanh(r) }`;
    expect(whyFloat(planOf(unit, "aimet-default"), "c")).toContain("it is computed inside Conv + Relu");
    expect(whyFloat(planOf(unit, "aimet-default", { keepFloat: ["Relu"] }), "c")).toBe(
      "it is only read by what stays in float: you asked for Relu to stay in float",
    );
  });

  test("every value is in the plan once, whoever reads it; what is left out, and integers, are not", () => {
    const text = `<ir_version: 8, opset_import: ["": 17]> f (float[1,8] x, int64[2] shape) => (float[2,8] y) <float[8,8] w, float high = {6.0}> {
      a = MatMul(x, w)
      c = Clip(a, "", high)
      b = MatMul(c, w)
      j = Concat <axis = 0> (b, b)
      y = Reshape(j, shape) }`;
    const { entries, notQuantized: left } = planOf(text, "aimet-default");
    const names = [...entries, ...left].map((one) => one.value);
    expect(names.toSorted()).toEqual(["a", "b", "c", "high", "j", "w", "x", "y"]);
    for (const { kind, granularity } of entries)
      if (kind === "activation") expect(granularity).toEqual({ kind: "tensor" });
  });

  test("activations in float say who asked for it", () => {
    const plan = planOf(two, "aimet-default", { activations: parseGrid("float32") });
    expect(whyFloat(plan, "x")).toBe("you asked for activations in float");
  });

  test("the gain of a LayerNorm that is written out has the precision of one: 8 bits at least", () => {
    const text = `<ir_version: 8, opset_import: ["": 17]> f (float[1,4,8] x) => (float[1,4,8] y)
      <float two = {2.0}, float e = {0.00001}, float[8] g, float[8] s, float[8,8] w> {
      m = ReduceMean <axes = [-1]> (x)
      d = Sub(x, m)
      p = Pow(d, two)
      v = ReduceMean <axes = [-1]> (p)
      a = Add(v, e)
      q = Sqrt(a)
      n = Div(d, q)
      k = Mul(n, g)
      l = Add(k, s)
      y = MatMul(l, w) }`;
    const gain = (options: Partial<PlaceOptions>) => entryOf(planOf(text, "htp-v73", options), "g");
    expect(gain({ weights: parseGrid("int4") })).toMatchObject({
      grid: parseGrid("int8"),
      symmetric: false,
      parameter: true,
    });
    expect(gain({ weights: parseGrid("int16") })).toMatchObject({ grid: parseGrid("int16"), symmetric: true });
    expect(gain({ weights: parseGrid("float32") })).toMatchObject({ grid: parseGrid("uint8"), parameter: true });
    expect(whyFloat(planOf(text, "htp-v73"), "s")).toBe("the target keeps every bias in float");
  });

  test("parts of a Split are moved like the first", () => {
    const split = `f (float[1,4] x) => (float[1,2] y, float[1,2] b) <float[4,4] w, float[2,2] v> {
      m = MatMul(x, w)
      a, b = Split <axis = 1, num_outputs = 2> (m)
      y = MatMul(a, v) }`;
    const found = planOf(`<ir_version: 8, opset_import: ["": 18]> ${split}`, "aimet-default");
    for (const part of ["a", "b"]) expect(entryOf(found, part).sharesEncodingOf).toBe("m");
    const float = planOf(`<ir_version: 8, opset_import: ["": 18]> ${split}`, "aimet-default", { keepFloat: ["m"] });
    expect(whyFloat(float, "a")).toBe("Split only moves data, and m is not quantized");
  });

  test("ranges that are known and lie around zero make a grid symmetric", () => {
    const tail = (op: string) => `f (float[1,4] x) => (float[1,4] y) <float[4,4] w> { m = MatMul(x, w) y = ${op}(m) }`;
    expect(entryOf(planOf(tail("Tanh"), "htp-v73"), "y")).toMatchObject({
      range: { min: -1, max: 1 },
      symmetric: true,
    });
    expect(entryOf(planOf(tail("Sigmoid"), "htp-v73"), "y")).toMatchObject({
      range: { min: 0, max: 1 },
      symmetric: false,
    });
    expect(entryOf(planOf(tail("Relu"), "aimet-default"), "y").symmetric).toBe(false);
  });
});

test("a range that is known of all parts holds for what they are joined to, and not where a part is in float", () => {
  const joined = (other: string) => `f (float[1,4] x) => (float[1,8] y) <float[4,4] w, float[4,4] v> {
    a = MatMul(x, w)
    b = MatMul(x, v)
    s = Sigmoid(a)
    t = ${other}
    y = Concat <axis = 1> (s, t) }`;
  const rangeOf = (other: string, keepFloat: string[] = []) =>
    entryOf(planOf(joined(other), "htp-v73", { keepFloat }), "y").range;
  expect(rangeOf("Sigmoid(b)")).toEqual({ min: 0, max: 1 });
  expect(rangeOf("Exp(b)")).toBeUndefined();
  expect(rangeOf("Exp(b)", ["t"]), "numbers above one would be clipped").toBeUndefined();
});

test("a target's unsigned symmetric grids are those of every entry", () => {
  const file = targetFile("aimet-default");
  const target = parseTarget({ ...file, defaults: { ...file.defaults, unsigned_symmetric: "True" } }, "mine");
  const model = parseModel("f (float[4,8] x) => (float[4,6] y) <float[8,6] w> { y = MatMul(x, w) }", { seed: 1 });
  const { entries } = place(model, target, { shapes: new Map<string, TensorType>() });
  expect(entries.map((entry) => [entry.value, entry.unsignedSymmetric])).toEqual(
    ["x", "w", "y"].map((name) => [name, true]),
  );
  const usual = place(model, builtinTarget("aimet-default"), { shapes: new Map<string, TensorType>() });
  expect(usual.entries.some((entry) => entry.unsignedSymmetric)).toBe(false);
});

test("what runs in float reads the float number beside the integers", () => {
  const text = `f (float[1,4,8,8] x) => (float[1,4,8,8] y, float[1,4,8,8] t) <float[4,4,1,1] w> {
    y = Conv(x, w)
    t = Tanh(x) }`;
  expect(entryOf(planOf(text, "ort-cpu"), "x").floatReaders).toEqual(["t"]);
  expect(entryOf(planOf(text, "ort-cpu"), "y").floatReaders).toBeUndefined();
});

describe("short scales", () => {
  const sums = `f (float[1,8] x) => (float[1,8] y) <float[8,8] w, float[8,8] v> {
    m = MatMul(x, w)
    n = MatMul(x, v)
    a = Add(m, n)
    y = Relu(a) }`;
  const scales = (target: string, options: Partial<PlaceOptions>) =>
    Object.fromEntries(planOf(sums, target, options).entries.map((entry) => [entry.value, entry.shortScale]));

  test("are the target's or asked for: coarse ones where layers give them, finer ones for sums and weights", () => {
    expect(scales("ort-cpu", {})).toMatchObject({ x: true, w: true, v: true });
    expect(scales("ort-cpu", { exactScales: true })).toMatchObject({ x: "coarse", w: true, v: true });
    expect(scales("aimet-default", {})).toMatchObject({ x: undefined, m: undefined, w: undefined, y: undefined });
    expect(scales("aimet-default", { exactScales: true })).toMatchObject({
      x: "coarse",
      m: "coarse",
      w: true,
      y: true,
    });
  });

  test("are not for a target that forbids them", () => {
    const { avocet, ...file } = targetFile("aimet-default");
    const options = { shapes: new Map<string, TensorType>(), exactScales: true };
    const forbids = parseTarget({ ...file, avocet: { ...avocet, short_scales: false } }, "mine");
    const { entries } = place(parseModel(sums, { seed: 1 }), forbids, options);
    expect(entries.every((entry) => entry.shortScale === undefined)).toBe(true);
  });

  test("are for grids of 8 bits and fewer", () => {
    const wide = { exactScales: true, activations: parseGrid("uint16"), weights: parseGrid("int16") };
    expect(scales("aimet-default", wide)).toMatchObject({ x: undefined, w: undefined });
  });
});

describe("refusals name the model and a way out", () => {
  const matmul = "f (float[4,8] x) => (float[4,6] y) <float[8,6] w> { y = MatMul(x, w) }";
  const placed = (text: string, options: Partial<PlaceOptions>) => () => planOf(text, "aimet-default", options);
  const detail = { at: "f", hint: expect.any(String) };

  test("grids, blocks that fit nowhere, nothing to quantize", () => {
    for (const [attempt, code] of [
      [placed(matmul, { weights: parseGrid("int32") }), "quant/unsupported-grid"],
      [placed(matmul, { granularity: { block: 3 } }), "quant/unsupported-granularity"],
      [placed(matmul, { keepFloat: ["MatMul"] }), "quant/nothing-to-quantize"],
    ] as const) {
      expect(attempt).toThrowError(expect.objectContaining({ code, detail: expect.objectContaining(detail) }));
    }
  });

  test("without weights to divide any block size of two or more is nothing to complain about", () => {
    const weights = parseGrid("float32");
    for (const block of [2, 3]) expect(placed(matmul, { weights, granularity: { block } })().entries).not.toEqual([]);
    expect(placed(matmul, { weights, granularity: { block: 1 } })).toThrowError(
      expect.objectContaining({ code: "quant/unsupported-granularity" }),
    );
  });

  test("arguments that are none", () => {
    expect(() => place(undefined as never, builtinTarget("ort-cpu"), { shapes: new Map() })).toThrowError(
      expect.objectContaining({ code: "usage/bad-value" }),
    );
    expect(() => place(parseModel(matmul, { seed: 1 }), undefined as never, { shapes: new Map() })).toThrowError(
      expect.objectContaining({ code: "usage/bad-value" }),
    );
  });
});
