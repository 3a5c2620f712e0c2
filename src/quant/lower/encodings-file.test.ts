/** Encodings files: every kind of plan is written and read back, what a version cannot say and what is wrong in a file is refused. */

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { recordedText } from "../../../test/aimet-goldens.ts";
import { fieldCase, missing } from "../../../test/fixtures.ts";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { fromArray } from "../../data/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { calibrate, type PlaceOptions, type Plan, parseGrid, place } from "../inner.ts";
import { applyEncodings } from "../plan/apply-encodings.ts";
import { readEncodings } from "../plan/read-encodings.ts";
import { builtinTarget } from "../targets/targets.ts";
import { type EncodingsVersion, writeEncodings } from "./encodings-file.ts";

const model = () =>
  parseModel(
    `f (float[1,4,8,8] x) => (float[1,4] y) <float[4,4,3,3] w, float[4] b, float[4,4] g, float[4,6] m, float[6,4] n> {
      c = Conv(x, w, b)
      r = Relu(c)
      p = GlobalAveragePool(r)
      f = Flatten(p)
      h = Gemm <transB = 1> (f, g)
      k = MatMul(h, m)
      y = MatMul(k, n) }`,
    { seed: 2 },
  );

async function planned(target: string, options: Partial<PlaceOptions> = {}): Promise<{ placed: Plan; plan: Plan }> {
  const [runtime, float] = [await openRuntime(), model()];
  const feeds = seededFeeds(float);
  const placed = place(float, builtinTarget(target), { shapes: await traceShapes(float, runtime, feeds), ...options });
  const data = fromArray("x", feeds.x!.shape, feeds.x!.floats());
  return { placed, plan: (await calibrate(float, placed, runtime, data, { scheme: "minmax" })).plan };
}

const versions = ["0.6.1", "1.0.0", "2.0.0", "2.1.0"] as const;

describe("written and read again", () => {
  const grids = ["int8", "int4", "int3", "int2", "uint8", "int16"];
  const granularities = ["tensor", "channel", { block: 2 }] as const;
  /** Why a version cannot say it. */
  const silent = (version: EncodingsVersion, grid: string, granularity: (typeof granularities)[number]) => {
    if (version.startsWith("2.") && grid === "int3") return /expected a type of ONNX for version 2\.[01]\.0, got int3/;
    if (version === "0.6.1" && typeof granularity === "object") return /version 0\.6\.1, got blocks/;
    return undefined;
  };
  const rows = versions.flatMap((version) =>
    grids.flatMap((grid) => granularities.map((granularity) => ({ version, grid, granularity }))),
  );
  test.each(rows)("$version $grid $granularity", async ({ version, grid, granularity }) => {
    const weights = parseGrid(grid);
    const { placed, plan } = await planned("aimet-default", { weights, granularity });
    const blocked = plan.entries.some((entry) => entry.granularity.kind === "block");
    const refused = silent(version, grid, blocked ? granularity : "channel");
    if (refused) {
      expect(() => writeEncodings(plan, model(), { version })).toThrowError(
        expect.objectContaining({ code: "quant/unsupported-encodings", message: expect.stringMatching(refused) }),
      );
      return;
    }
    const { plan: loaded, ignored } = applyEncodings(
      placed,
      readEncodings(writeEncodings(plan, model(), { version })),
      model(),
    );
    // Biases are derived where they are read; version 2.0.0 writes them.
    expect(ignored.filter((name) => name !== "b")).toEqual([]);
    expect(loaded.entries.map((entry) => entry.encoding)).toEqual(plan.entries.map((entry) => entry.encoding));
    expect(loaded.entries.every((entry) => entry.frozen)).toBe(true);
  });

  test("the default target's plan", async () => {
    const { placed, plan } = await planned("ort-cpu");
    for (const version of versions) {
      const { plan: loaded } = applyEncodings(
        placed,
        readEncodings(writeEncodings(plan, model(), { version })),
        model(),
      );
      for (const [i, entry] of loaded.entries.entries())
        if (entry.kind !== "bias") expect(entry.encoding).toEqual(plan.entries[i]!.encoding);
    }
  });

  const lists: [string, PlaceOptions["granularity"], EncodingsVersion[]][] = [
    ["float8e4m3fn", "channel", ["2.0.0", "2.1.0"]],
    ["float8e5m2", { block: 2 }, ["2.0.0", "2.1.0"]],
    ["float4e2m1", { block: 2, twoLevel: { form: "nvfp4" } }, ["2.1.0"]],
    ["float4e2m1", "tensor", ["2.0.0", "2.1.0"]],
    ["int2half", "channel", ["1.0.0", "2.0.0", "2.1.0"]],
    ["int4", { block: 2, twoLevel: { form: "lpbq", scaleBits: 4 } }, ["1.0.0", "2.0.0", "2.1.0"]],
  ];
  test.each(lists)("%s %j", async (grid, granularity, able) => {
    const { placed, plan } = await planned("aimet-default", { weights: parseGrid(grid), granularity });
    const isInt = grid === "int4";
    for (const version of versions) {
      const write = () => writeEncodings(plan, model(), { version });
      if (!able.includes(version) && !(version === "2.0.0" && grid === "float4e2m1")) {
        expect(write, version).toThrowError(expect.objectContaining({ code: "quant/unsupported-encodings" }));
        continue;
      }
      const { plan: loaded } = applyEncodings(placed, readEncodings(write()), model());
      for (const [i, entry] of loaded.entries.entries()) {
        if (entry.kind !== "weight") continue;
        const { twoLevel, ...same } = plan.entries[i]!.encoding!;
        if (same.granularity.kind === "block")
          expect(twoLevel?.form).toBe(typeof granularity === "object" ? granularity.twoLevel?.form : undefined);
        expect(entry.encoding, `${version} ${entry.value}`).toMatchObject(
          isInt || grid === "int2half" ? same : { ...same, symmetric: true },
        );
        if (twoLevel?.form === "lpbq") expect(entry.encoding!.twoLevel!.coarse).toEqual(twoLevel.coarse);
      }
    }
  });

  test("biases are left out where nobody wants them", async () => {
    const { plan } = await planned("ort-cpu");
    const names = (int32Bias: boolean) =>
      JSON.parse(writeEncodings(plan, model(), { version: "2.0.0", int32Bias })).encodings.map(
        (row: { name: string }) => row.name,
      );
    expect(names(true)).toContain("b");
    expect(names(false)).not.toContain("b");
  });

  test("half precision", async () => {
    const half = parseGrid("float16");
    const { placed, plan } = await planned("aimet-default", { weights: half, activations: half });
    const file = readEncodings(writeEncodings(plan, model()));
    expect(file.half).toContain("w");
    const { placed: integers } = await planned("aimet-default");
    expect(applyEncodings(integers, file, model()).plan.entries.map((entry) => entry.grid)).toEqual(
      placed.entries.map((entry) => entry.grid),
    );
  });

  test("places of a kernel with scales of their own are more than blocks can say", async () => {
    const { plan } = await planned("aimet-default", { weights: parseGrid("int4"), granularity: { block: 2 } });
    const entries = plan.entries.map((entry) =>
      entry.value === "w"
        ? { ...entry, encoding: { ...entry.encoding!, scale: entry.encoding!.scale.map((s, i) => s * (1 + i)) } }
        : entry,
    );
    expect(() => writeEncodings({ ...plan, entries }, model())).toThrowError(
      expect.objectContaining({ code: "quant/unsupported-encodings" }),
    );
  });
});

// biome-ignore lint/suspicious/noExplicitAny: a file is changed at will
type Json = any;

/** One change of a recorded file and what is said of it. */
const faults: Record<string, [file: string, change: (json: Json) => void, message: RegExp]> = {
  "another version": ["residual-2.0.0", (j) => { j.version = "3.0.0"; }, /version/],
  "no encodings": ["residual-2.0.0", (j) => { delete j.encodings; }, /encodings/],
  // 0.6.1
  "0.6.1: an empty list": ["residual-0.6.1", (j) => { j.param_encodings.w1 = []; }, /w1/],
  "0.6.1: no offset": ["residual-0.6.1", (j) => { delete j.param_encodings.w1[2].offset; }, /scale and offset for w1/],
  "0.6.1: no scale": ["residual-0.6.1", (j) => { delete j.activation_encodings.x[0].scale; }, /scale and offset for x/],
  "0.6.1: half an offset": ["residual-0.6.1", (j) => { j.param_encodings.w1[0].offset = -127.5; }, /offset/],
  "0.6.1: slices of two widths": ["residual-0.6.1", (j) => { j.param_encodings.w1[1].bitwidth = 4; }, /one width/],
  "0.6.1: slices of two symmetries": ["residual-0.6.1", (j) => { j.param_encodings.w1[1].is_symmetric = "False"; }, /one symmetry/],
  "0.6.1: a float among integers": ["residual-0.6.1", (j) => { j.param_encodings.w1[1].dtype = "float"; }, /w1/],
  "0.6.1: symmetry in other words": ["residual-0.6.1", (j) => { j.param_encodings.w1[1].is_symmetric = "yes"; }, /is_symmetric/],
  "0.6.1: a minimum that scale and offset do not give": ["residual-0.6.1", (j) => { j.activation_encodings.x[0].min = -9; }, /as scale and offset say/],
  "0.6.1: a maximum that scale and offset do not give": ["residual-0.6.1", (j) => { j.activation_encodings.x[0].max = 0; }, /as scale and offset say/],
  "0.6.1: in both sections": ["residual-0.6.1", (j) => { j.activation_encodings.w1 = j.param_encodings.w1; }, /several for w1/],
  "0.6.1: float of eight bits": ["residual-0.6.1", (j) => { j.activation_encodings.x = [{ bitwidth: 8, dtype: "float" }]; }, /float of 16 bits for x/],
  // 1.0.0
  "1.0.0: a name twice": ["residual-1.0.0", (j) => { j.param_encodings.push(j.param_encodings[0]); }, /several for w\d/],
  "1.0.0: in both sections": ["residual-1.0.0", (j) => { j.activation_encodings.push(j.param_encodings[0]); }, /several for w\d/],
  "1.0.0: no scales": ["residual-1.0.0", (j) => { j.param_encodings[0].scale = []; }, /scale/],
  "1.0.0: fewer offsets": ["residual-1.0.0", (j) => { j.param_encodings[0].offset.pop(); }, /as many offsets/],
  "1.0.0: a scale of zero": ["residual-1.0.0", (j) => { j.param_encodings[0].scale[0] = 0; }, /scale/],
  "1.0.0: a negative scale": ["residual-1.0.0", (j) => { j.param_encodings[0].scale[0] = -1; }, /scale/],
  "1.0.0: a scale beyond float32": ["residual-1.0.0", (j) => { j.param_encodings[0].scale[0] = 1e39; }, /float32/],
  "1.0.0: a scale below float32": ["residual-1.0.0", (j) => { j.param_encodings[0].scale[0] = 1e-60; }, /float32/],
  "1.0.0: half an offset": ["residual-1.0.0", (j) => { j.param_encodings[0].offset[0] = -0.5; }, /offset/],
  "1.0.0: an offset above zero": ["residual-1.0.0", (j) => { j.activation_encodings[0].offset[0] = 3; }, /offset from -255 to 0/],
  "1.0.0: an offset below the grid": ["residual-1.0.0", (j) => { j.activation_encodings[0].offset[0] = -256; }, /offset from -255 to 0/],
  "1.0.0: symmetric around something else": ["residual-1.0.0", (j) => { j.param_encodings[0].offset[0] = -100; }, /symmetric grid to begin/],
  "1.0.0: no symmetry": ["residual-1.0.0", (j) => { delete j.param_encodings[0].is_sym; }, /is_sym/],
  "1.0.0: several scales per tensor": ["residual-1.0.0", (j) => { Object.assign(j.activation_encodings[0], { scale: [1, 1], offset: [0, 0] }); }, /one scale per tensor/],
  "1.0.0: seventeen bits": ["residual-1.0.0", (j) => { j.activation_encodings[0].bw = 17; }, /bits/],
  "1.0.0: forty bits": ["residual-1.0.0", (j) => { j.activation_encodings[0].bw = 40; }, /bits/],
  "1.0.0: a block size per channel": ["residual-1.0.0", (j) => { j.param_encodings[0].block_size = 4; }, /block_size/],
  "1.0.0: blocks without a size": ["blocks-1.0.0", (j) => { delete j.param_encodings.find((r: Json) => r.block_size).block_size; }, /block_size/],
  "1.0.0: blocks of zero": ["blocks-1.0.0", (j) => { j.param_encodings.find((r: Json) => r.block_size).block_size = 0; }, /block_size/],
  "1.0.0: vectors": ["residual-1.0.0", (j) => { j.param_encodings[0].enc_type = "VECTOR"; }, /enc_type/],
  "1.0.0: a zero between two numbers": ["residual-1.0.0", (j) => { j.param_encodings[0].zero_point_shift = [0.5]; }, /zero_point_shift/],
  "1.0.0: float of 32 bits": ["residual-1.0.0", (j) => { Object.assign(j.activation_encodings[0], { dtype: "FLOAT", bw: 32 }); }, /float of 16 bits/],
  "1.0.0: LPBQ without factors": ["lpbq-1.0.0", (j) => { delete j.param_encodings.find((r: Json) => r.block_size).per_block_int_scale; }, /per_block_int_scale/],
  "1.0.0: LPBQ with a factor too few": ["lpbq-1.0.0", (j) => { j.param_encodings.find((r: Json) => r.block_size).per_block_int_scale.pop(); }, /per_block_int_scale/],
  "1.0.0: LPBQ with a factor too large": ["lpbq-1.0.0", (j) => { j.param_encodings.find((r: Json) => r.block_size).per_block_int_scale[0] = 17; }, /up to 16/],
  "1.0.0: LPBQ with half a factor": ["lpbq-1.0.0", (j) => { j.param_encodings.find((r: Json) => r.block_size).per_block_int_scale[0] = 1.5; }, /per_block_int_scale/],
  "1.0.0: LPBQ without a compressed width": ["lpbq-1.0.0", (j) => { delete j.param_encodings.find((r: Json) => r.block_size).compressed_bw; }, /compressed_bw/],
  // 2.0.0
  "2.0.0: a name twice": ["residual-2.0.0", (j) => { j.encodings.push(j.encodings[0]); }, /several for w1/],
  "2.0.0: three bits": ["residual-2.0.0", (j) => { j.encodings[0].output_dtype = "int3"; }, /output_dtype/],
  "2.0.0: float8": ["residual-2.0.0", (j) => { j.encodings[0].output_dtype = "float8e4m3fnuz"; }, /output_dtype/],
  "2.0.0: a type that nobody knows": ["residual-2.0.0", (j) => { j.encodings[0].output_dtype = "byte"; }, /output_dtype/],
  "2.0.0: a width beside the type": ["residual-2.0.0", (j) => { j.encodings[0].bw = 8; }, /no bw/],
  "2.0.0: no scale": ["residual-2.0.0", (j) => { delete j.encodings[0].y_scale; }, /y_scale/],
  "2.0.0: a text for a scale": ["residual-2.0.0", (j) => { j.encodings[0].y_scale = "1"; }, /y_scale/],
  "2.0.0: an empty list of scales": ["residual-2.0.0", (j) => { j.encodings[0].y_scale = []; }, /y_scale/],
  "2.0.0: a negative scale": ["residual-2.0.0", (j) => { j.encodings[0].y_scale[0] = -1; }, /scales/],
  "2.0.0: scales without an axis": ["residual-2.0.0", (j) => { delete j.encodings[0].axis; }, /axis/],
  "2.0.0: an axis of one scale": ["residual-2.0.0", (j) => { j.encodings.find((r: Json) => r.name === "x").axis = 0; }, /axis/],
  "2.0.0: half an axis": ["residual-2.0.0", (j) => { j.encodings[0].axis = 0.5; }, /axis/],
  "2.0.0: a block size of one scale": ["residual-2.0.0", (j) => { j.encodings.find((r: Json) => r.name === "x").block_size = 4; }, /axis/],
  "2.0.0: half a zero point": ["residual-2.0.0", (j) => { j.encodings.find((r: Json) => r.name === "x").y_zero_point = 0.5; }, /whole y_zero_point/],
  "2.1.0: a scale without its factors": ["residual-2.0.0", (j) => { j.version = "2.1.0"; j.encodings[0].y_scale = { x_scale: 1 }; }, /x with x_scale/],
  "2.1.0: a width beside the type": ["residual-2.0.0", (j) => { j.version = "2.1.0"; j.encodings[0].bw = 8; }, /no bw/],
  "2.1.0: a zero point of scales": ["residual-2.0.0", (j) => { j.version = "2.1.0"; j.encodings[0].y_scale = { x: [1], x_scale: 1, x_zero_point: [1] }; }, /x_zero_point/],
  "2.0.0: a zero point outside the type": ["residual-2.0.0", (j) => { j.encodings.find((r: Json) => r.name === "x").y_zero_point = 256; }, /y_zero_point of uint8/],
  "2.0.0: a negative zero point of an unsigned type": ["residual-2.0.0", (j) => { j.encodings.find((r: Json) => r.name === "x").y_zero_point = -1; }, /y_zero_point of uint8/],
  "2.0.0: one zero point for many scales": ["residual-2.0.0", (j) => { j.encodings[0].y_zero_point = 0; }, /y_zero_point for every y_scale/],
  "2.0.0: zero points in another shape": ["blocks-2.0.0", (j) => { const r = j.encodings.find((r: Json) => r.block_size); r.y_zero_point = r.y_scale.flat().map(() => 0); }, /y_zero_point for every/],
  "2.0.0: lists of unequal length": ["blocks-2.0.0", (j) => { j.encodings.find((r: Json) => r.block_size).y_scale[1].pop(); }, /equal length/],
  "2.0.0: blocks in one list": ["blocks-2.0.0", (j) => { const r = j.encodings.find((r: Json) => r.block_size); r.y_scale = r.y_scale.flat(); }, /shape of the blocks/],
  "2.0.0: the shape of blocks without their size": ["blocks-2.0.0", (j) => { delete j.encodings.find((r: Json) => r.block_size).block_size; }, /list of scales/],
  "2.0.0: LPBQ without channels": ["lpbq-2.0.0", (j) => { delete j.encodings.find((r: Json) => r.block_size).per_channel_float_scale; }, /per_channel_float_scale/],
  "2.0.0: LPBQ without factors": ["lpbq-2.0.0", (j) => { delete j.encodings.find((r: Json) => r.block_size).per_block_int_scale; }, /per_block_int_scale/],
  "2.0.0: LPBQ and scales": ["lpbq-2.0.0", (j) => { j.encodings.find((r: Json) => r.block_size).y_scale = [[1]]; }, /y_scale, or/],
  "2.0.0: LPBQ with a factor of zero": ["lpbq-2.0.0", (j) => { j.encodings.find((r: Json) => r.block_size).per_block_int_scale[0][0] = 0; }, /whole numbers from 1/],
  "2.0.0: LPBQ with channels of another shape": ["lpbq-2.0.0", (j) => { j.encodings.find((r: Json) => r.block_size).per_channel_float_scale[0].pop(); }, /in the shape of/],
}; // biome-ignore format: one line each

describe("a file with a fault is refused", () => {
  test.each(Object.entries(faults))("%s", (_, [file, change, message]) => {
    const text = recordedText(`files/${file}.encodings`);
    const json = JSON.parse(text);
    expect(() => readEncodings(text)).not.toThrow();
    change(json);
    expect(() => readEncodings(JSON.stringify(json), "e.encodings")).toThrowError(
      expect.objectContaining({
        code: "quant/invalid-encodings",
        message: expect.stringMatching(message),
        detail: expect.objectContaining({ at: "e.encodings" }),
      }),
    );
  });

  test.each([
    ["no JSON", "{"],
    ["nothing", "null"],
    ["lists 20,000 deep", `{"version":"2.0.0","encodings":[{"name":"x","output_dtype":"uint8","y_scale":${"[".repeat(2e4)}1${"]".repeat(2e4)}}]}`], // biome-ignore format: one line
    ["a key twice", '{"version":"0.6.1","activation_encodings":{"x":[],"x":[]},"param_encodings":{}}'],
  ])("%s", (_, text) => {
    expect(() => readEncodings(text)).toThrowError(expect.objectContaining({ code: "quant/invalid-encodings" }));
  });

  const deep = ["deep2000.encodings", "deep5000.encodings", "deep20000.encodings"];
  const absent = missing(...deep.map((name) => `hostile/${name}`));
  test.skipIf(absent)(`hostile files${absent ? ` (${absent})` : ""}`, () => {
    for (const name of deep) {
      const text = readFileSync(fieldCase(`hostile/${name}`), "utf8");
      expect(() => readEncodings(text)).toThrowError(expect.objectContaining({ code: "quant/invalid-encodings" }));
    }
  });
});

describe("an encoding that does not fit the model is refused", () => {
  const row = (fields: object) => ({ name: "w", output_dtype: "int4", y_scale: [1, 1, 1, 1], axis: 0, ...fields });
  const ones = (...dims: number[]): unknown =>
    dims.length === 0 ? 1 : Array.from({ length: dims[0]! }, () => ones(...dims.slice(1)));
  const misfits: Record<string, [granularity: "tensor" | "channel" | { block: number }, row: object, message: RegExp]> = {
    "a scale too few": ["channel", row({ y_scale: [1, 1, 1] }), /4 scales/],
    "another axis": ["channel", row({ axis: 1 }), /axis 0/],
    "an axis that the tensor does not have": ["channel", row({ axis: 4 }), /axis 0/],
    "an axis below the first": ["channel", row({ axis: -5 }), /axis 0/],
    "channels where one scale was placed": ["tensor", row({}), /expected one scale/],
    "blocks where channels were placed": ["channel", row({ axis: 1, block_size: 2, y_scale: ones(4, 2, 1, 1) }), /per channel, got blocks/],
    "blocks of another size": [{ block: 2 }, row({ axis: 1, block_size: 4, y_scale: ones(4, 1, 1, 1) }), /per block, got blocks of 4/],
    "blocks along another axis": [{ block: 2 }, row({ axis: 0, block_size: 2, y_scale: ones(2, 4, 1, 1) }), /along axis 1/],
    "blocks in another shape": [{ block: 2 }, row({ axis: 1, block_size: 2, y_scale: ones(2, 4, 1, 1) }), /\[4,2,1,1\]/],
    "a scale for every place of the kernel": [{ block: 2 }, row({ axis: 1, block_size: 2, y_scale: ones(4, 2, 3, 3) }), /\[4,2,1,1\]/],
  }; // biome-ignore format: one line each
  test.each(Object.entries(misfits))("%s", async (_, [granularity, fields, message]) => {
    const { placed } = await planned("aimet-default", { weights: parseGrid("int4"), granularity });
    const file = readEncodings(JSON.stringify({ version: "2.0.0", encodings: [fields] }));
    expect(() => applyEncodings(placed, file, model())).toThrowError(
      expect.objectContaining({ code: "quant/invalid-encodings", message: expect.stringMatching(message) }),
    );
  });

  test("an axis may be counted from the end, and names that the plan lacks are told", async () => {
    const { placed } = await planned("aimet-default", { weights: parseGrid("int4") });
    const rows = [row({ axis: -4 }), row({ name: "nobody" })];
    const file = readEncodings(JSON.stringify({ version: "2.0.0", encodings: rows }));
    const { plan, ignored } = applyEncodings(placed, file, model());
    expect(plan.entries.find((entry) => entry.value === "w")?.encoding?.scale).toEqual([1, 1, 1, 1]);
    expect(ignored).toEqual(["nobody"]);
  });
});
