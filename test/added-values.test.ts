/**
 * What operators that move data add to what they move stays within a grid: every row of ops/added.ts, and what joins or writes
 * one value into another, quantized in eight bits for both kinds of placement and judged against float.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fromTensors } from "../src/data/inner.ts";
import { readNpy } from "../src/data/inner-files.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import { parseModel } from "../src/ir/inner.ts";
import { additions, movers } from "../src/ops/inner.ts";
import { builtinTarget, calibrate, lower, type Plan, place } from "../src/quant/inner.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { avocet, workshop } from "./command-line.ts";
import { fieldCase, missing } from "./fixtures.ts";
import { outputsOf, seededFeeds } from "./same-outputs.ts";

test("every operator that moves data says what it adds", () => {
  expect(movers.filter((name) => !Object.hasOwn(additions, name))).toEqual([]);
});

/** Between two convolutions; what is negative there stands out, for a Relu comes before. */
const between = (middle: string, constants = "") =>
  `<ir_version: 10, opset_import: ["" : 21]> f (float[1,4,6,6] x) => (float y)
   <float[4,4,1,1] w, float[4,4,1,1] v${constants}> {
     c = Conv(x, w)
     r = Relu(c)
     ${middle}
     y = Conv(m, v) }`;

/** The same with nothing behind: the joined or moved value is the output. */
const last = (middle: string, constants = "") =>
  `<ir_version: 10, opset_import: ["" : 21]> f (float[1,4,6,6] x) => (float y)
   <float[4,4,1,1] w${constants}> {
     c = Conv(x, w)
     r = Relu(c)
     ${middle}
     y = Identity(m) }`;

const pads = ", int64[8] p = {0,0,1,1,0,0,1,1}";
const pad = (fill: string) => between("m = Pad(r, p, k)", `${pads}, float k = {${fill}}`);

interface Row {
  readonly text: string;
  /** Whether the value that is called m shares the encoding of what is moved. */
  readonly shared: boolean;
}
const own = (text: string): Row => ({ text, shared: false });
const shared = (text: string): Row => ({ text, shared: true });

const moving: Record<string, Row> = {
  "Pad with zero": shared(pad("0")),
  "Pad with −1.5": own(pad("-1.5")),
  "Pad with 20": own(pad("20")),
  "Pad with what an input says": own(
    between("k = Squeeze(t)\n m = Pad(r, p, k)", pads).replace("6] x)", "6] x, float[1] t)"),
  ),
  "Pad with what is computed": own(between("mean = ReduceMin <keepdims = 0> (c)\n m = Pad(r, p, mean)", pads)),
  "Pad without a value": shared(between("m = Pad(r, p)", pads)),
  "Pad that names its axes": own(between("m = Pad(r, q, k, a)", ", int64[4] q = {1,1,1,1}, float k = {-1}, int64[2] a = {2,3}")), // biome-ignore format: one graph
  "Pad that crops and fills": own(between("m = Pad(r, q, k)", ", int64[8] q = {0,0,-1,1,0,0,1,-1}, float k = {-2}")),
  "Pad by edges": shared(between('m = Pad <mode = "edge"> (r, p, k)', `${pads}, float k = {-1.5}`)),
  "Pad by reflection": shared(between('m = Pad <mode = "reflect"> (r, p, k)', `${pads}, float k = {-1.5}`)),
  "Pad that wraps": shared(between('m = Pad <mode = "wrap"> (r, p, k)', `${pads}, float k = {-1.5}`)),
  "Pad of an old opset": own(
    `<ir_version: 7, opset_import: ["" : 10]> f (float[1,4,6,6] x) => (float y) <float[4,4,1,1] w, float[4,4,1,1] v> {
      c = Conv(x, w)
      r = Relu(c)
      m = Pad <pads = [0,0,1,1,0,0,1,1], value = -1.5> (r)
      y = Conv(m, v) }`,
  ),
  "Pad of ONNX Runtime": own(
    `<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]> f (float[1,4,6,6] x) => (float y)
     <float[4,4,1,1] w, float[4,4,1,1] v${pads}, float k = {-1.5}> {
      c = Conv(x, w)
      r = Relu(c)
      m = com.microsoft.Pad(r, p, k)
      y = Conv(m, v) }`,
  ),
  "Pad with the lowest number in front of a MaxPool": shared(
    between("z = Pad(r, p, k)\n m = MaxPool <kernel_shape = [3,3]> (z)", `${pads}, float k = {-3.4e38}`),
  ),
  "two Pads, the second with a value": own(between("z = Pad(r, p)\n m = Pad(z, p, k)", `${pads}, float k = {-3}`)),
  "a Reshape behind a Pad with a value": own(
    between("z = Pad(r, p, k)\n m = Transpose <perm = [0,1,3,2]> (z)", `${pads}, float k = {-3}`),
  ),
  CenterCropPad: shared(between("m = CenterCropPad <axes = [2,3]> (r, s)", ", int64[2] s = {8,8}")),
  Trilu: shared(between("m = Trilu(r)")),
  MaxPool: shared(between("m = MaxPool <kernel_shape = [3,3], pads = [1,1,1,1]> (r)")),
  Tile: shared(between("m = Tile(r, t)", ", int64[4] t = {1,1,2,2}")),
  Gather: shared(between("m = Gather <axis = 2> (r, i)", ", int64[3] i = {5,0,-1}")),
  Expand: shared(last("t = ReduceMax(r, a)\n m = Expand(t, e)", ", int64[1] a = {2}, int64[4] e = {1,4,6,6}")),
};

/** What is joined: each has a grid of its own, or shares that of the result, which holds everything. */
const joining: Record<string, string> = {
  "Concat with a constant": between("m = Concat <axis = 2> (r, k)", ", float[1,4,1,6] k"),
  "Concat with a large constant": last("m = Concat <axis = 2> (r, k)", `, float[1,4,1,6] k = {${Array(24).fill(-7)}}`),
  "Concat behind a Pad with a value": last(
    "z = Pad(r, p, k)\n m = Concat <axis = 1> (z, z)",
    `${pads}, float k = {-3}`,
  ),
  "Where with a constant branch": between("m = Where(b, r, k)", ", bool[6] b = {1,0,1,0,0,1}, float k = {-4}"),
  "Where with a computed branch": between("n = Neg(c)\n m = Where(b, r, n)", ", bool[6] b = {1,0,1,0,0,1}"),
  "Max with a constant": between("m = Max(r, k)", ", float k = {3}"),
  "Min with a constant": between("m = Min(r, k)", ", float k = {-1}"),
  "Clip that begins above": between("m = Clip(r, lo, hi)", ", float lo = {2}, float hi = {6}"),
  "ScatterND with updates": between("m = ScatterND(r, i, u)", ", int64[1,1] i = {0}, float[1,4,6,6] u"),
  "ScatterND that adds": between(
    'm = ScatterND <reduction = "add"> (r, i, u)',
    ", int64[1,1] i = {0}, float[1,4,6,6] u",
  ),
  "ScatterND that adds the opposite": between('n = Mul(c, k)\n m = ScatterND <reduction = "add"> (c, i, n)', ", int64[1,1] i = {0}, float k = {-0.7}"), // biome-ignore format: one graph
  "ScatterElements with updates": between("m = ScatterElements <axis = 2> (r, i, u)", ", int64[1,4,1,6] i = {0,0,0,0,0,0,1,1,1,1,1,1,2,2,2,2,2,2,3,3,3,3,3,3}, float[1,4,1,6] u"), // biome-ignore format: one graph
  "ScatterElements that keeps the larger": between('m = ScatterElements <axis = 2, reduction = "max"> (r, i, u)', ", int64[1,4,1,6] i = {0,0,0,0,0,0,1,1,1,1,1,1,2,2,2,2,2,2,3,3,3,3,3,3}, float[1,4,1,6] u"), // biome-ignore format: one graph
  "OneHot": last("s = ReduceMax(c)\n h = OneHot <axis = 0> (i, d, n)\n m = Mul(h, s)", ", int64[3] i = {0,2,1}, int64 d = {4}, float[2] n = {-3, 5}"), // biome-ignore format: one graph
  CumSum: between("m = CumSum(r, a)", ", int64 a = {3}"),
  "Gather of a constant table": last("t = Gather(k, i)\n m = Add(r, t)", ", float[9,1,6] k, int64[4] i = {1,8,3,2}"),
  "Resize by cubic": between('m = Resize <mode = "cubic"> (r, , s)', ", float[4] s = {1,1,2,2}"),
  "Resize by nearest": between('m = Resize <mode = "nearest"> (r, , s)', ", float[4] s = {1,1,2,2}"),
  "Resize by cropping outside": between('m = Resize <mode = "nearest", coordinate_transformation_mode = "tf_crop_and_resize", extrapolation_value = -6.0> (r, q, , z)', ", float[8] q = {0,0,-0.5,-0.5,1,1,1.5,1.5}, int64[4] z = {1,4,8,8}"), // biome-ignore format: one graph
  "AveragePool that counts its padding": between("m = AveragePool <kernel_shape = [3,3], pads = [1,1,1,1], count_include_pad = 1> (n)\n", "").replace("r = Relu(c)", "r = Relu(c)\n n = Add(r, one)").replace("float[4,4,1,1] w", "float[4,4,1,1] w, float one = {4}"), // biome-ignore format: one graph
  "LeakyRelu behind a Pad": between("z = Pad(r, p, k)\n m = LeakyRelu(z)", `${pads}, float k = {-2}`),
};

const targets = ["ort-cpu", "aimet-default", "htp-v73"] as const;

async function quantized(text: string, target: string) {
  const model = parseModel(text, { seed: 4 });
  const runtime = await openRuntime();
  const feeds = seededFeeds(model);
  const shapes = await traceShapes(model, runtime, feeds);
  const placed = place(model, builtinTarget(target), { shapes });
  const { plan } = await calibrate(model, placed, runtime, fromTensors(feeds), { scheme: "minmax" });
  const [float, shipped] = [await outputsOf(model, feeds), await outputsOf(lower(model, plan).model, feeds)];
  return { plan, sqnr: sqnr(float.y!.floats(), shipped.y!.floats()) };
}

function sqnr(wanted: Float32Array, found: Float32Array): number {
  let [signal, noise] = [0, 0];
  wanted.forEach((x, i) => {
    signal += x * x;
    noise += (x - found[i]!) ** 2;
  });
  return 10 * Math.log10(signal / noise);
}

/** The value whose encoding holds for a value: itself, or what it is tied to. */
function headOf(plan: Plan, name: string): string | undefined {
  const entry = plan.entries.find((one) => one.value === name);
  return entry && (entry.sharesEncodingOf ?? entry.value);
}

describe.each(targets)("%s", (target) => {
  // Eight bits over the range of a few hundred numbers give 40 dB and more for one value; five values in a row, with weights
  // and with a fill that widens the range ten times, stay above 25. A fill that is clipped leaves less than ten.
  test.each(Object.entries(moving))("%s", async (_, { text, shared }) => {
    const { plan, sqnr } = await quantized(text, target);
    expect(sqnr).toBeGreaterThan(25);
    const head = headOf(plan, "m");
    if (head) expect(head === "r", `m has the grid of ${head}`).toBe(shared);
  });

  test.each(["-65504", "1e9"])("what is padded with %s stays float", async (fill) => {
    const model = parseModel(last("z = Pad(r, p, k)\n m = Softmax(z)", `${pads}, float k = {${fill}}`), { seed: 4 });
    const shapes = await traceShapes(model, await openRuntime(), seededFeeds(model));
    const plan = place(model, builtinTarget(target), { shapes });
    expect(plan.entries.map((entry) => entry.value)).not.toContain("z");
    expect(plan.notQuantized.find((left) => left.value === "z")?.reason).toMatch(/fills in .*holds nothing else/);
  });

  test.each(Object.entries(joining))("%s", async (_, text) => {
    expect((await quantized(text, target)).sqnr).toBeGreaterThan(25);
  });
});

const absent = missing("pad_value/model.onnx");
test.skipIf(absent)(`the public bug report${absent ? ` (${absent})` : ""}`, async () => {
  const shop = await workshop();
  using _ = shop;
  const out = shop.at("out");
  const files = [fieldCase("pad_value/model.onnx"), "--data", fieldCase("pad_value/x.npy"), "-o", out];
  expect((await avocet(["quantize", ...files, "--preset", "fast", "--quiet"])).code).toBe(0);
  const [float, shipped] = [readModelFile(files[0]!), readModelFile(`${out}/model.onnx`)];
  const x = await readNpy(readFileSync(files[2]!));
  const [wanted, found] = [await outputsOf(float, { x }), await outputsOf(shipped, { x })].map(
    (outputs) => Object.values(outputs)[0]!,
  );
  // ONNX Runtime's own tool reaches 33 dB; on the grid of the Relu it was 6 to 9.
  expect(sqnr(wanted!.floats(), found!.floats())).toBeGreaterThan(33);
});
