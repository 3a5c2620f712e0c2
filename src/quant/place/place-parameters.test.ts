/** Weights, biases and parameters of normalizations: on which grid each is placed, or why it stays in float. */
import { describe, expect, test } from "vitest";
import { parseModel, type TensorType } from "../../ir/inner.ts";
import { builtinTarget, gridName, type PlaceOptions, type Plan, parseGrid, place, targetFile } from "../inner.ts";
import { parseTarget } from "../inner-files.ts";
import type { TargetFile } from "../targets/target-schema.ts";

/** The plan for a target, with other sections where some are given. */
function planOf(
  text: string,
  target: string,
  options: Partial<PlaceOptions> = {},
  changes: Partial<TargetFile> = {},
): Plan {
  const model = parseModel(`<ir_version: 8, opset_import: ["": 21, "com.microsoft": 1]> ${text}`, { seed: 1 });
  const parsed = parseTarget({ ...targetFile(target), ...changes }, "mine");
  return place(model, parsed, { shapes: new Map<string, TensorType>(), ...options });
}
const entryOf = (plan: Plan, value: string) => plan.entries.find((entry) => entry.value === value);
const why = (plan: Plan, value: string) =>
  entryOf(plan, value)?.reason ?? `float: ${plan.notQuantized.find((left) => left.value === value)?.reason}`;
const grids = (weights: string, activations = "uint8") => ({
  weights: parseGrid(weights),
  activations: parseGrid(activations),
});

const gemm = "f (float[4,8] x) => (float[4,6] y) <float[8,6] w, float[6] b> { y = Gemm(x, w, b) }";
const added = "f (float[4,8] x) => (float[4,6] y) <float[8,6] w, float[6] b> { m = MatMul(x, w) y = Add(m, b) }";
/** A convolution that reads a mask, which no grid holds. */
const masked = `f (float[1,4,8,8] x) => (float y) <float[4,4,1,1] w, float[4,4,1,1] v, float[4] b, int64[8] pads = {0,0,1,1,0,0,1,1}, float fill = {-10000}> {
  c = Conv(x, w) p = Pad(c, pads, fill) y = Conv(p, v, b) }`;

describe("weights for integer kernels", () => {
  test("are for operators that have a kernel; the others say what the target says of them", () => {
    const norm = `f (float[4,8] x) => (float y) <float[8,8] w, float[8] g, float[8] s> {
      m = MatMul(x, w) n = LayerNormalization(m, g, s) y = MatMul(n, w) }`;
    for (const value of ["g", "s"])
      expect(why(planOf(norm, "ort-cpu"), value)).toBe("float: ONNX Runtime has no integer kernel for it on CPU");
    const transposed = `f (float[1,4,8,8] x) => (float y) <float[4,4,1,1] w, float[4,4,1,1] v> {
      c = Conv(x, w) y = ConvTranspose(c, v) }`;
    expect(why(planOf(transposed, "ort-cpu"), "v")).toContain("a quantized weight would be turned back into float");
    const { avocet, ...rest } = targetFile("ort-cpu");
    const silent = { ...rest, avocet: { ...avocet, float: {} } };
    expect(why(planOf(transposed, "ort-cpu", {}, silent), "v")).toBe("float: ConvTranspose runs in float");
    expect(why(planOf(norm, "ort-cpu", {}, silent), "g")).toBe("float: LayerNormalization runs in float");
  });

  test("need integers in front of the kernel, unless activations are float: a packed weight is smaller", () => {
    expect(why(planOf(masked, "ort-cpu"), "v")).toBe("float: the input of Conv is not quantized");
    expect(why(planOf(masked, "ort-cpu"), "b")).toBe("float: the bias cannot share the scales of input and weight");
    expect(why(planOf(masked, "ort-cpu", grids("int8", "float32")), "v")).toBe(
      "the weight of Conv: int8, a scale per channel",
    );
    // Targets without kernels compute on what was rounded, whatever is in front.
    const open = planOf(gemm, "aimet-default", {}, { model_input: {} });
    expect(why(open, "w")).toBe("the weight of Gemm: int8, a scale per channel");
    expect(entryOf(open, "x")).toBeUndefined();
  });

  test("a weight of two layers is decided at the first that reads it", () => {
    const shared = `f (float[4,8] x) => (float[4,8] y) <float[8,8] w> { a = MatMul(x, w) y = Gemm(a, w) }`;
    expect(why(planOf(shared, "aimet-default"), "w")).toContain("the weight of MatMul (shared by 2 nodes)");
    expect(why(planOf(shared, "aimet-default", { keepFloat: ["a"] }), "w")).toBe(
      "float: you asked for a to stay in float",
    );
  });

  test("have scales in blocks where the target's storage asks for it, unless the user asks for others", () => {
    const blocks = { avocet: { weight_block: 4 } };
    expect(entryOf(planOf(gemm, "aimet-default", {}, blocks), "w")!.granularity).toEqual({
      kind: "block",
      axis: 0,
      size: 4,
      channelAxis: 1,
    });
    const asked = planOf(gemm, "aimet-default", { granularity: "channel" }, blocks);
    expect(entryOf(asked, "w")!.granularity).toEqual({ kind: "channel", axis: 1 });
    const stored = planOf(gemm, "aimet-default", {}, { avocet: { weight_block: 4, storage: "matmulnbits" } });
    expect(why(stored, "w"), "what cannot be stored so says why").toMatch(/, not stored for MatMulNBits: /);
  });

  test("carry the habits of the target: strict grids, pairs of products of matrices alone", () => {
    const { defaults } = targetFile("aimet-default");
    const strict = planOf(gemm, "aimet-default", {}, { defaults: { ...defaults, strict_symmetric: "True" } });
    expect(entryOf(strict, "w")!.narrowRange).toBe(true);
    expect(entryOf(planOf(gemm, "aimet-default"), "w")!.narrowRange).toBeUndefined();
    const norm =
      "f (float[4,8] x) => (float y) <float[8,8] w, float[8] g> { n = LayerNormalization(x, g) y = MatMul(n, w) }";
    const pairs = planOf(norm, "aimet-default", {}, { avocet: { pair_safe_weights: true } });
    expect([entryOf(pairs, "w")!.pairSafe, entryOf(pairs, "g")!.pairSafe]).toEqual([true, undefined]);
    expect(
      entryOf(planOf(norm, "aimet-default", grids("float16"), { avocet: { pair_safe_weights: true } }), "w")!.pairSafe,
    ).toBeUndefined();
  });
});

describe("biases", () => {
  test("why they stay in float says what is missing", () => {
    const float = "no integers are added: activations are float";
    const other = "no integers are added: the input or the weight is float";
    const own = "the bias cannot share the scales of input and weight";
    expect(why(planOf(added, "ort-cpu", grids("int8", "float32")), "b")).toBe(`float: ${float}`);
    expect(why(planOf(added, "ort-cpu", grids("float16")), "b")).toBe(`float: ${other}`);
    expect(why(planOf(added, "aimet-default", grids("int8", "float32")), "b")).toBe(
      "float: the target keeps biases in float",
    );
    expect(why(planOf(added, "aimet-default"), "b")).toBe("float: the target keeps biases in float");
    expect(why(planOf(gemm, "ort-cpu", grids("int8", "float32")), "b")).toBe(`float: ${own}`);
    expect(why(planOf(gemm, "ort-cpu", grids("float16")), "b")).toBe(`float: ${own}`);
    const computed = "f (float[4,8] x, float[8,6] w) => (float[4,6] y) <float[6] b> { y = Gemm(x, w, b) }";
    expect(why(planOf(computed, "ort-cpu"), "b")).toBe(`float: ${own}`);
    expect(why(planOf(gemm, "aimet-default"), "b")).toBe("float: the target keeps every bias in float");
  });

  test("are vectors of the output channels: of all groups of a ConvTranspose, and no columns", () => {
    const column = "f (float[6,8] x) => (float[6,6] y) <float[8,6] w, float[6,1] b> { y = Gemm(x, w, b) }";
    expect(why(planOf(column, "ort-cpu"), "b")).toContain("a bias that is no vector of the output channels");
    const conv = (
      op: string,
      group: number,
      channels: number,
    ) => `f (float[1,4,5,5] x) => (float y) <float[4,3,1,1] w, float[${channels}] b> {
      y = ${op} <group = ${group}> (x, w, b) }`;
    const int32 = { avocet: { bias: "int32" as const } };
    const placed = (text: string) => entryOf(planOf(text, "aimet-default", {}, int32), "b")?.kind;
    expect(placed(conv("ConvTranspose", 2, 6))).toBe("bias");
    expect(placed(conv("ConvTranspose", 1, 3))).toBe("bias");
    // With two groups four inputs of a Conv are two a group: its weight says so, and its outputs are its rows.
    expect(
      placed("f (float[1,4,5,5] x) => (float y) <float[6,2,1,1] w, float[6] b> { y = Conv <group = 2> (x, w, b) }"),
    ).toBe("bias");
  });

  test("that a target quantizes as parameters have one scale each", () => {
    const params = { bias: { is_quantized: "True" as const } };
    const plan = planOf(gemm, "aimet-default", {}, { params });
    expect(entryOf(plan, "b")).toMatchObject({ kind: "weight", granularity: { kind: "tensor" } });
    expect(entryOf(plan, "w")!.granularity.kind).toBe("channel");
    const blocks = planOf(gemm, "aimet-default", { granularity: { block: 4 } }, { params });
    expect(entryOf(blocks, "b")!.granularity).toEqual({ kind: "tensor" });
    // It is no weight that could not have the channels that were asked for.
    expect(why(planOf(gemm, "aimet-default", { granularity: "channel" }, { params }), "b")).toBe(
      "the bias of Gemm: int8, one scale",
    );
  });
});

describe("parameters of a normalization have 8 bits at least", () => {
  const of = (
    op: string,
    kept = "",
  ) => `f (float[2,4,8,8] x) => (float y) <float[8,8] w, float[${op === "LayerNormalization" ? 8 : 4}] g, float[4] s, float[4] m, float[4] v> {
    n = ${op === "BatchNormalization" ? "BatchNormalization(x, g, s, m, v)" : op === "LayerNormalization" ? "LayerNormalization(x, g)" : `${op}(x, g, s)`}
    y = ${kept || "MatMul"}(n, w) }`;
  /** "int8 symmetric", or the reason in float. */
  const gain = (
    op: string,
    target: string,
    options: Partial<PlaceOptions>,
    text = of(op),
    changes: Partial<TargetFile> = {},
  ) => {
    const plan = planOf(text, target, options, changes);
    const entry = entryOf(plan, "g");
    if (entry) expect(entry.grid).toEqual(parseGrid(gridName(entry.grid)));
    return entry ? `${gridName(entry.grid)}${entry.symmetric ? " symmetric" : ""}` : why(plan, "g");
  };

  test.each([
    ["LayerNormalization", "htp-v73", "int4", "int8"],
    ["LayerNormalization", "htp-v73", "int8", "int8"],
    ["LayerNormalization", "htp-v73", "int16", "int16 symmetric"],
    ["LayerNormalization", "htp-v68", "int16", "int8"],
    ["LayerNormalization", "htp-v73", "float16", "float16"],
    ["BatchNormalization", "htp-v73", "int4", "int8"],
    ["BatchNormalization", "htp-v73", "int16", "int16 symmetric"],
  ])("that of %s on %s with weights %s: %s", (op, target, weights, wanted) => {
    expect(gain(op, target, grids(weights, "uint16"))).toBe(wanted);
  });

  test.each([
    ["what the output has", "htp-v73", "int8", "uint16", "int16"],
    ["and 8 bits at least", "htp-v73", "int4", "uint4", "int8"],
    ["symmetric where activations are", "enpu-v7", "int8", "uint16", "int16 symmetric"],
    ["weights in float", "htp-v73", "float16", "uint8", "float16"],
    ["activations in half precision", "htp-v73", "int16", "float16", "int16"],
  ])("those of InstanceNormalization follow the output: %s", (_, target, weights, activations, wanted) => {
    expect(gain("InstanceNormalization", target, grids(weights, activations))).toBe(wanted);
  });

  test("an operator has its own rule, and an output in float leaves them to the weights", () => {
    const { op_type } = targetFile("enpu-v7");
    const own = { op_type: { ...op_type, InstanceNormalization: { is_symmetric: "False" as const } } };
    const choice = grids("int4", "uint16");
    expect(gain("InstanceNormalization", "enpu-v7", choice, of("InstanceNormalization"), own)).toBe("int16");
    const alone = { op_type: { ...op_type, InstanceNormalization: { is_output_quantized: "False" as const } } };
    expect(gain("InstanceNormalization", "enpu-v7", choice, of("InstanceNormalization"), alone)).toBe("int8");
    expect(gain("InstanceNormalization", "enpu-v7", grids("int16", "uint8"), of("InstanceNormalization"), alone)).toBe(
      "int16",
    );
  });
});

test("a built-in target without changes is itself", () => {
  expect(parseTarget(targetFile("ort-cpu"), "ort-cpu")).toEqual(builtinTarget("ort-cpu"));
});
