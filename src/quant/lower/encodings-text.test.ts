/** Encodings files word by word, for plans by hand. */
import { describe, expect, test } from "vitest";
import { entry, planOf } from "../../../test/hand-made-plan.ts";
import { parseModel } from "../../ir/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import type { PlanEntry } from "../plan/plan.ts";
import { type EncodingsOptions, writeEncodings } from "./encodings-file.ts";

const model = parseModel(
  `<ir_version: 10, opset_import: ["": 21]>
  f (float[1,2,4,4] x) => (float[8,2] y) <float[2,2,1,1] w, float[2] b, float[4,2] m, int64[2] to = {8, 4}> {
    i = Identity(x)
    c = Conv(i, w, b)
    t = Reshape(c, to)
    y = MatMul(t, m)
  }`,
  { seed: 1 },
);

const x = entry("x", "activation", "uint8", { symmetric: false, offset: [-10] });
const w = entry("w", "weight", "int8", {
  granularity: { kind: "channel", axis: 0 },
  scale: [0.5, 0.25],
  offset: [-128, -128],
});
const blocks: Partial<Encoding> = {
  granularity: { kind: "block", axis: 0, size: 2, channelAxis: 1 },
  // Blocks before channels, as the elements lie.
  scale: [1, 2, 3, 4],
  offset: [-8, -8, -8, -8],
};
const m = entry("m", "weight", "int4", blocks);
const packed = entry("m", "weight", "int4", {
  ...blocks,
  twoLevel: { form: "lpbq", coarse: [0.5, 1], most: 16 },
} as Partial<Encoding>);
const half = entry("c", "activation", "float16");
const moved: PlanEntry = { ...entry("t", "activation", "uint8"), sharesEncodingOf: "c" };

const written = (entries: readonly PlanEntry[], options: EncodingsOptions = {}) =>
  writeEncodings(planOf(...entries), model, options);
const read = (entries: readonly PlanEntry[], options: EncodingsOptions = {}) => JSON.parse(written(entries, options));

const x1 = { bw: 8, dtype: "INT", enc_type: "PER_TENSOR", is_sym: false, name: "x", offset: [-10], scale: [0.5] };
const w1 = {
  bw: 8,
  dtype: "INT",
  enc_type: "PER_CHANNEL",
  is_sym: true,
  name: "w",
  offset: [-128, -128],
  scale: [0.5, 0.25],
};
const bias = { axis: 0, name: "b", output_dtype: "int32", y_scale: [0.25, 0.125] };
const x2 = { name: "x", output_dtype: "uint8", y_scale: 0.5, y_zero_point: 10 };
const w2 = { axis: 0, name: "w", output_dtype: "int8", y_scale: [0.5, 0.25] };

describe("version 1.0.0", () => {
  test("the whole text: sorted keys, four spaces, what moves data and biases left out", () => {
    const wanted = {
      activation_encodings: [x1, { bw: 16, dtype: "FLOAT", enc_type: "PER_TENSOR", name: "c" }],
      param_encodings: [
        w1,
        {
          block_size: 2,
          bw: 4,
          dtype: "INT",
          enc_type: "PER_BLOCK",
          is_sym: true,
          name: "m",
          offset: [-8, -8, -8, -8],
          scale: [1, 3, 2, 4],
        },
      ],
      producer: { package: "avocet", version: "" },
      quantizer_args: {
        activation_bitwidth: 8,
        dtype: "int",
        is_symmetric: true,
        param_bitwidth: 8,
        per_channel_quantization: true,
        quant_scheme: "min_max",
      },
      version: "1.0.0",
    };
    const { encoding: _, ...bare } = entry("y", "activation", "uint8");
    const others = [entry("b", "bias", "int32"), moved, bare, entry("y", "activation", "bfloat16")];
    expect(written([x, w, half, m, ...others])).toBe(`${JSON.stringify(wanted, null, 4)}\n`);
  });

  test("what is told of the quantizers follows the first of each kind", () => {
    const args = (...entries: PlanEntry[]) => read(entries, { scheme: "tf" }).quantizer_args;
    const usual = { activation_bitwidth: 8, dtype: "int", is_symmetric: true, param_bitwidth: 8, quant_scheme: "tf" };
    expect(args()).toEqual({ ...usual, per_channel_quantization: false });
    expect(args(half, entry("w", "weight", "float16"))).toEqual({ ...usual, per_channel_quantization: false });
    expect(args(entry("x", "activation", "uint16"), m)).toMatchObject({ activation_bitwidth: 16, param_bitwidth: 4 });
    expect(args(m, w)).toMatchObject({ per_channel_quantization: true });
    const loose = { ...entry("w", "weight", "uint8", { symmetric: false, offset: [-3] }) };
    expect(args(loose)).toMatchObject({ is_symmetric: false, per_channel_quantization: false });
  });

  test("a value that its operators take for a parameter is one", () => {
    const computed = { ...entry("c", "activation", "uint8"), parameter: true as const };
    const found = read([computed, x]);
    expect(found.param_encodings.map(({ name }: { name: string }) => name)).toEqual(["c"]);
    expect(found.activation_encodings).toEqual([x1]);
  });

  test("LPBQ: coarse scales of wide integers, and a factor for each block", () => {
    expect(read([packed]).param_encodings).toEqual([
      {
        name: "m",
        enc_type: "LPBQ",
        dtype: "INT",
        bw: 8,
        is_sym: true,
        scale: [0.5, 1],
        offset: [-128, -128],
        block_size: 2,
        compressed_bw: 4,
        per_block_int_scale: [2, 6, 2, 4],
      },
    ]);
  });
});

test("version 0.6.1: a row for each slice, with its ends", () => {
  const producer = { package: "another", version: "7" };
  const found = read([x, w, half], { version: "0.6.1", producer });
  const common = { bitwidth: 8, dtype: "int" };
  expect(found).toMatchObject({ version: "0.6.1", producer });
  expect(found.activation_encodings).toEqual({
    x: [{ ...common, is_symmetric: "False", min: -5, max: 122.5, offset: -10, scale: 0.5 }],
    c: [{ bitwidth: 16, dtype: "float" }],
  });
  expect(found.param_encodings).toEqual({
    w: [
      { ...common, is_symmetric: "True", min: -64, max: 63.5, offset: -128, scale: 0.5 },
      { ...common, is_symmetric: "True", min: -32, max: 31.75, offset: -128, scale: 0.25 },
    ],
  });
});

describe("version 2.0.0", () => {
  const rows = (...entries: PlanEntry[]) => read(entries, { version: "2.0.0" }).encodings;

  test("parameters first, then activations; a bias next to its weight, by the input's scale and the weight's", () => {
    const m2 = { axis: 0, block_size: 2, name: "m", output_dtype: "int4", y_scale: [[1, 2], [3, 4]] }; // biome-ignore format: blocks
    expect(rows(x, w, half, m)).toEqual([w2, bias, m2, x2]);
  });

  test("no bias without the scale of its input or of its weight; the plan's own before another", () => {
    expect(rows(w)).toEqual([w2]);
    expect(rows(x)).toEqual([x2]);
    const { encoding: _, ...open } = w;
    expect(rows(open, x)).toEqual([x2]);
    const near = entry("i", "activation", "uint8", { symmetric: false, offset: [-10], scale: [2] });
    expect(rows(w, x, near).find(({ name }: { name: string }) => name === "b").y_scale).toEqual([1, 0.5]);
    const own = entry("b", "bias", "int32", {
      granularity: { kind: "channel", axis: 0 },
      scale: [3, 4],
      offset: [-(2 ** 31), -(2 ** 31)],
    });
    expect(rows(w, x, own)).toEqual([w2, { ...bias, y_scale: [3, 4] }, x2]);
  });

  test("a bias is the vector next to the weight of a product, and nothing else that an operator adds", () => {
    const others = parseModel(
      `<ir_version: 10, opset_import: ["": 21]>
      f (float[1,2,4,4] x, float[2,2,1,1] k, float[2] a, float[3,2] q) => (float[1,2,4,4] y, float[3,2] z)
      <float[2] s, float[2] t, float[2] mean, float[2] var, float[2] b, float[2,2,1,1] w, float[2,2] m, float[1,2] row> {
        n = BatchNormalization(x, s, t, mean, var)
        c = Conv(n, k, b)
        y = Conv(c, w, a)
        p = MatMul(q, m)
        z = Add(p, row)
      }`,
      { seed: 1 },
    );
    const names = (...entries: PlanEntry[]) =>
      JSON.parse(writeEncodings(planOf(...entries), others, { version: "2.0.0" })).encodings.map(
        ({ name }: { name: string }) => name,
      );
    const own = entry("b", "bias", "int32");
    const inputs = ["n", "c", "q"].map((name) => entry(name, "activation", "uint8"));
    const weights = ["s", "w", "m"].map((name) => entry(name, "weight", "int8"));
    // A scale is of no product; k is computed, and so tells nothing of b; a is computed itself; a row is a matrix.
    expect(names(...weights, own, ...inputs)).toEqual(["s", "w", "m", "n", "c", "q"]);
  });

  test("what is not symmetric is unsigned, and zero points that are zero are left out", () => {
    const loose = entry("w", "weight", "int8", { symmetric: false, offset: [-100] });
    expect(rows(loose)).toEqual([{ name: "w", output_dtype: "uint8", y_scale: 0.5, y_zero_point: 100 }]);
    const mixed = entry("w", "weight", "uint8", {
      symmetric: false,
      granularity: { kind: "channel", axis: 0 },
      scale: [1, 2],
      offset: [0, -3],
    });
    expect(rows(mixed)).toEqual([{ axis: 0, name: "w", output_dtype: "uint8", y_scale: [1, 2], y_zero_point: [0, 3] }]);
  });

  test("LPBQ: factors in the shape of the blocks, coarse scales in that of the channels", () => {
    expect(rows(packed)).toEqual([
      {
        axis: 0,
        block_size: 2,
        name: "m",
        output_dtype: "int4",
        per_block_int_scale: [[2, 2], [6, 4]], // biome-ignore format: blocks
        per_channel_float_scale: [[0.5, 1]],
      },
    ]);
  });
});

test("what a version cannot say is refused by the value's name, with a way out", () => {
  const refusal = (at: string) =>
    expect.objectContaining({
      code: "quant/unsupported-encodings",
      detail: { at, hint: expect.stringContaining("--format 1.0.0") },
    });
  expect(() => written([m], { version: "0.6.1" })).toThrowError(refusal("m"));
  const three = entry("x", "activation", "int3");
  expect(() => written([three], { version: "2.0.0" })).toThrowError(refusal("x"));
});
