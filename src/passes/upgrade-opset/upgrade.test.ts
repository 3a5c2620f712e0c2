/** Raising the opset keeps what a model computes, for every operator that has an adapter, from the version before it. */
import { describe, expect, test } from "vitest";
import { expectSameOutputs } from "../../../test/same-outputs.ts";
import { check, cloneModel, type Model, parseModel } from "../../ir/inner.ts";
import { ops, type StandardOp } from "../../ops/inner.ts";
import { standardSchemas } from "../../ops/schema.generated.ts";
import { adapters } from "./adapters.ts";
import { unchanged } from "./unchanged.ts";
import { newestOpset, oldestOpset, upgradeOpset } from "./upgrade.ts";

const opsOf = (model: Model) => [...model.graph.nodes].map((node) => node.op);

test("every version of every operator was judged, once", () => {
  for (const name of Object.keys(standardSchemas) as StandardOp[]) {
    const { versions } = ops[name];
    const changed = versions.filter((v) => v > oldestOpset && v <= newestOpset && v !== versions[0]);
    const judged = [...Object.keys(adapters[name] ?? {}).map(Number), ...(unchanged[name] ?? [])];
    expect(
      judged.toSorted((a, b) => a - b),
      name,
    ).toEqual(changed);
  }
});

/** Opset, model, and what is left at 21 where that is worth a look. */
const zoo: Record<string, [opset: number, text: string, left?: string[]]> = {
  "Clip with bounds": [7, "f (float[2,3] x) => (float[2,3] y) { y = Clip <min = -0.5, max = 0.5> (x) }"],
  "Clip with one bound": [10, "f (float[2,3] x) => (float[2,3] y) { a = Relu(x) y = Clip <max = 0.5> (a) }"],
  Dropout: [7, "f (float[2,3] x) => (float[2,3] y) { y = Dropout <ratio = 0.3> (x) }"],
  "Pad with a value": [7, "f (float[2,3] x) => (float[3,6] y) { y = Pad <pads = [1,0,0,3], value = 2.5> (x) }"],
  "Pad reflecting": [10, `f (float[2,3] x) => (float[2,5] y) { y = Pad <pads = [0,1,0,1], mode = "reflect"> (x) }`],
  "Slice with axes": [
    9,
    "f (float[4,5] x) => (float[4,2] y) { y = Slice <axes = [1], starts = [-3], ends = [-1]> (x) }",
  ],
  "Slice without axes": [
    7,
    "f (float[4,5] x) => (float[3,5] y) { y = Slice <starts = [1], ends = [9223372036854775807]> (x) }",
  ],
  TopK: [9, "f (float[4,5] x) => (float[4,2] y, int64[4,2] i) { y, i = TopK <k = 2> (x) }"],
  "TopK on an axis": [
    10,
    "f (float[4,5] x) => (float[2,5] y, int64[2,5] i) <int64[1] k = {2}> { y, i = TopK <axis = 0> (x, k) }",
  ],
  "Upsample, scales an attribute": [
    7,
    "f (float[1,2,3,3] x) => (float[1,2,6,9] y) { y = Upsample <scales = [1.0, 1.0, 2.0, 3.0]> (x) }",
    ["Resize"],
  ],
  "Upsample, linear": [
    8,
    `f (float[1,2,3,3] x) => (float[1,2,6,6] y) { y = Upsample <mode = "linear", scales = [1.0, 1.0, 2.0, 2.0]> (x) }`,
    ["Resize"],
  ],
  "Upsample, scales an input": [
    9,
    "f (float[1,2,3,3] x) => (float[1,2,7,4] y) <float[4] s = {1, 1, 2.4, 1.5}> { y = Upsample(x, s) }",
    ["Resize"],
  ],
  "Resize enlarging": [
    10,
    "f (float[1,2,3,3] x) => (float[1,2,7,4] y) <float[4] s = {1, 1, 2.4, 1.5}> { y = Resize(x, s) }",
  ],
  "Resize reducing": [
    10,
    "f (float[1,2,7,5] x) => (float[1,2,4,3] y) <float[4] s = {1, 1, 0.6, 0.7}> { y = Resize(x, s) }",
  ],
  "Resize linear": [
    10,
    `f (float[1,2,7,5] x) => (float[1,2,4,8] y) <float[4] s = {1, 1, 0.6, 1.7}> { y = Resize <mode = "linear"> (x, s) }`,
  ],
  "Resize 11": [
    11,
    `f (float[1,2,3,3] x) => (float[1,2,6,6] y) <float[0] r = {}, float[4] s = {1, 1, 2, 2}> {
       y = Resize <mode = "cubic", coordinate_transformation_mode = "align_corners"> (x, r, s) }`,
  ],
  "Softmax over everything behind the first axis": [
    11,
    "f (float[2,3,4] x) => (float[2,3,4] y) { y = Softmax(x) }",
    ["Shape", "Flatten", "Softmax", "Reshape"],
  ],
  "Softmax over the last axis": [7, "f (float[2,3] x) => (float[2,3] y) { y = Softmax(x) }", ["Softmax"]],
  "Softmax over channels of one place": [
    9,
    "f (float[2,3,1,1] x) => (float[2,3,1,1] y) { y = Softmax <axis = 1> (x) }",
    ["Softmax"],
  ],
  "LogSoftmax with a negative axis": [11, "f (float[2,3,4] x) => (float[2,3,4] y) { y = LogSoftmax <axis = -2> (x) }"],
  "LogSoftmax over all": [12, "f (float[2,3,4] x) => (float[2,3,4] y) { y = LogSoftmax <axis = 0> (x) }"],
  Hardmax: [7, "f (float[2,3,4] x) => (float[2,3,4] y) { y = Hardmax <axis = 1> (x) }"],
  "BatchNormalization with statistics per channel": [
    7,
    "f (float[2,3,4] x) => (float[2,3,4] y) <float[3] g, float[3] b, float[3] m, float[3] v> { y = BatchNormalization <spatial = 1> (x, g, b, m, v) }",
    ["BatchNormalization"],
  ],
  "BatchNormalization with statistics per place": [
    8,
    "f (float[2,3,4] x) => (float[2,3,4] y) <float[3,4] g, float[3,4] b, float[3,4] m, float[3,4] v> { y = BatchNormalization <spatial = 0> (x, g, b, m, v) }",
    ["Sub", "Add", "Sqrt", "Div", "Mul", "Add"],
  ],
  "Split with sizes": [
    11,
    "f (float[2,6] x) => (float[2,2] y, float[2,4] z) { y, z = Split <axis = 1, split = [2, 4]> (x) }",
  ],
  "Split in equal parts": [7, "f (float[2,6] x) => (float[2,3] y, float[2,3] z) { y, z = Split <axis = 1> (x) }"],
  "Split 13 in equal parts": [13, "f (float[2,6] x) => (float[2,3] y, float[2,3] z) { y, z = Split <axis = 1> (x) }"],
  Squeeze: [8, "f (float[2,1,3,1] x) => (float[2,3,1] y) { y = Squeeze <axes = [1]> (x) }"],
  "Squeeze everything": [11, "f (float[2,1,3,1] x) => (float[2,3] y) { y = Squeeze(x) }"],
  Unsqueeze: [11, "f (float[2,3] x) => (float[1,2,3,1] y) { y = Unsqueeze <axes = [0, -1]> (x) }"],
  Scatter: [
    9,
    "f (float[3,3] x, float[1,3] u) => (float[3,3] y) <int64[1,3] i = {2, 0, 1}> { y = Scatter <axis = 0> (x, i, u) }",
    ["ScatterElements"],
  ],
  "Gemm and MatMul": [
    7,
    "f (float[2,3] x) => (float[2,5] y) <float[3,4] w, float[4] b, float[4,5] v> { g = Gemm(x, w, b) y = MatMul(g, v) }",
  ],
  "Convolutions and pools": [
    8,
    `f (float[1,2,9,9] x) => (float[1,5,1,1] y) <float[4,2,3,3] w, float[4,5,2,2] t> {
       c = Conv <pads = [1,1,1,1]> (x, w)
       p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (c)
       a = AveragePool <kernel_shape = [3,3], pads = [1,1,1,1], count_include_pad = 1> (p)
       u = ConvTranspose <strides = [2,2]> (a, t)
       y = GlobalAveragePool(u) }`,
    ["Conv", "MaxPool", "AveragePool", "ConvTranspose", "GlobalAveragePool"],
  ],
  "AveragePool whose last window hangs over": [
    10,
    "f (float[1,1,6,6] x) => (float[1,1,3,3] y) { y = AveragePool <kernel_shape = [3,3], strides = [2,2], ceil_mode = 1> (x) }",
  ],
  "AveragePool whose last window hangs over, counting the padding": [
    11,
    `f (float[1,1,6,6] x) => (float[1,1,4,4] y) {
       y = AveragePool <kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1], ceil_mode = 1, count_include_pad = 1> (x) }`,
  ],
  LpPool: [7, "f (float[1,1,6,6] x) => (float[1,1,4,4] y) { y = LpPool <kernel_shape = [3,3], p = 2> (x) }"],
  RoiAlign: [
    10,
    `f (float[1,2,8,8] x) => (float[2,2,3,3] y) <float[2,4] r = {0, 0, 5, 5, 1, 2, 6.5, 7}, int64[2] b = {0, 0}> {
       y = RoiAlign <output_height = 3, output_width = 3, sampling_ratio = 2, spatial_scale = 0.9> (x, r, b) }`,
  ],
  GridSample: [
    16,
    `f (float[1,2,4,4] x, float[1,3,3,2] g) => (float[1,2,3,3] y) { y = GridSample <mode = "bicubic"> (x, g) }`,
  ],
  "GridSample by default": [
    16,
    "f (float[1,2,4,4] x, float[1,3,3,2] g) => (float[1,2,3,3] y) { y = GridSample(x, g) }",
  ],
  DFT: [17, "f (float[1,6,4,1] x) => (float[1,6,4,2] y) { y = DFT <axis = 2> (x) }"],
  GroupNormalization: [
    18,
    "f (float[2,6,3,3] x) => (float[2,6,3,3] y) <float[3] g, float[3] b> { y = GroupNormalization <num_groups = 3> (x, g, b) }",
  ],
  LSTM: [
    7,
    `f (float[4,2,3] x) => (float[4,1,2,5] y, float[1,2,5] h) <float[1,20,3] w, float[1,20,5] r, float[1,40] b> {
       y, h = LSTM <hidden_size = 5> (x, w, r, b) }`,
  ],
  quantizers: [
    10,
    `f (float[2,3] x) => (float[2,3] y) <float s = {0.05}, uint8 z = {100}> {
       q = QuantizeLinear(x, s, z)
       y = DequantizeLinear(q, s, z) }`,
  ],
  "shapes and casts": [
    8,
    `f (float[2,3] x) => (float[6] y, int64[2] s, double[2,3] d) <int64[1] all = {-1}> {
       s = Shape(x)
       d = Cast <to = 11> (x)
       y = Reshape(x, all) }`,
  ],
  "a body": [
    10,
    `f (float[2,1,3] x, bool c) => (float[2,3] y) {
       y = If(c) <
         then_branch = t () => (float[2,3] a) { s = Squeeze <axes = [1]> (x) a = Clip <min = 0.0> (s) },
         else_branch = e () => (float[2,3] b) { b = ReduceSum <axes = [1], keepdims = 0> (x) }
       > }`,
  ],
  "Scan over batches": [
    8,
    `f (float[2,3] h, float[2,4,3] x) => (float[2,3] y, float[2,4,3] z) {
       y, z = Scan("", h, x) < num_scan_inputs = 1, body = b (float[3] s, float[3] e) => (float[3] t, float[3] o) {
         t = Add(s, e)
         o = Mul(t, e) } > }`,
    ["Scan"],
  ],
  comparisons: [7, "f (float[2,3] x, float[3] z) => (bool[2,3] y) { a = Greater(x, z) b = Less(x, z) y = Or(a, b) }"],
};

for (const name of Object.keys(adapters).filter((n) => n.startsWith("Reduce"))) {
  zoo[`${name} with axes`] = [
    11,
    `f (float[2,3,4] x) => (float[2,3,1] y) { a = Exp(x) y = ${name} <axes = [2]> (a) }`,
    ["Exp", name],
  ];
  zoo[`${name} of all`] = [7, `f (float[2,3,4] x) => (float y) { a = Exp(x) y = ${name} <keepdims = 0> (a) }`];
}

describe("to 21 and to the newest", () => {
  test.each(Object.entries(zoo))("%s", async (_name, [opset, text, left]) => {
    const before = parseModel(text, { opset, seed: 7, positive: ["v"] });
    // ONNX Runtime has no RoiAlign of version 22.
    for (const to of text.includes("RoiAlign") ? [21] : [21, newestOpset]) {
      const after = cloneModel(before);
      expect(upgradeOpset(after, to)).toBeGreaterThan(0);
      check(after);
      expect(after.opset).toBe(to);
      // The same kernels run on the same numbers; arithmetic that stands in for an operator rounds once more.
      await expectSameOutputs(before, after, { atol: 1e-6, rtol: 1e-6 });
      if (left) expect(opsOf(after)).toEqual(left);
    }
  });
});

test("to each version on the way", async () => {
  const text =
    "f (float[2,3] x) => (float[1,2] y) { c = Clip <max = 0.5> (x) s = Softmax <axis = 0> (c) m = ReduceSum <axes = [1]> (s) t = Squeeze <axes = [1]> (m) y = Unsqueeze <axes = [0]> (t) }";
  const before = parseModel(text, { opset: 7 });
  for (let to = 8; to <= newestOpset; to++) {
    const after = cloneModel(before);
    upgradeOpset(after, to);
    await expectSameOutputs(before, after, { atol: 1e-7 });
  }
});

test("functions are raised in their own version", () => {
  const model = parseModel(`<ir_version: 8, opset_import: ["": 17, "local": 1]>
    f (float[2,3] x) => (float[2] y) { y = local.total(x) }
    <domain: "local", opset_import: ["": 11]>
    total (a) => (b) { b = ReduceSum <axes = [1], keepdims = 0> (a) }`);
  upgradeOpset(model, 21);
  const [made] = model.functions;
  expect(made!.opsets.get("")).toBe(21);
  expect([...made!.body.nodes].map((node) => node.op)).toEqual(["Constant", "ReduceSum"]);
});

test("what cannot be raised is refused by name", () => {
  const upgrade = (opset: number, text: string) => () => upgradeOpset(parseModel(text, { opset }), 21);
  expect(upgrade(6, "f (float[2] x) => (float[2] y) { y = Add(x, x) }")).toThrow(/got 6, since when Add has changed/);
  expect(upgrade(9, "f (float[2] x) => (float[2] y) { y = Nonsense(x) }")).toThrow(/Nonsense → y cannot be raised/);
  expect(upgrade(8, "f (x) => (y) { y = Clip <max = 1.0> (x) }")).toThrow(/type of x is not known/);
});

test("operators that have not changed for long are raised from any version", () => {
  const model = parseModel("f (bool[2] x) => (bool[2] y) { y = Not(x) }", { opset: 1 });
  upgradeOpset(model, 21);
  expect(model.opset).toBe(21);
});

test("a model without standard operators stays", () => {
  const model = parseModel(`<ir_version: 10, opset_import: ["ai.onnx.ml": 3]>
    f (float[2] x) => (float[2] y) { y = ai.onnx.ml.Binarizer(x) }`);
  expect(upgradeOpset(model, 21)).toBe(0);
});

test("a model that is new enough stays", () => {
  const model = parseModel("f (float[2] x) => (float[2] y) { y = Relu(x) }", { opset: 22 });
  expect(upgradeOpset(model, 21)).toBe(0);
  expect(model.opset).toBe(22);
});
