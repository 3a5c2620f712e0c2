/** What becomes an integer kernel in ONNX Runtime, and the reasons for the rest. The facts of docs/onnx-runtime.md. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { outputsOf, seededFeeds } from "../../../test/same-outputs.ts";
import { fromArray } from "../../data/inner.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import {
  calibrate,
  kernelReport,
  lower,
  type PlaceOptions,
  type Plan,
  parseGrid,
  place,
  withEntries,
} from "../inner.ts";
import { builtinTarget } from "../targets/targets.ts";

async function planned(model: Model, options: Partial<PlaceOptions> & { target?: string } = {}): Promise<Plan> {
  const runtime = await openRuntime();
  const feeds = seededFeeds(model);
  const placed = place(model, builtinTarget(options.target ?? "ort-cpu"), {
    shapes: await traceShapes(model, runtime, feeds),
    ...options,
  });
  const [[name, tensor]] = Object.entries(feeds) as [[string, (typeof feeds)[string]]];
  return (await calibrate(model, placed, runtime, fromArray(name, tensor.shape, tensor.floats()), { scheme: "minmax" }))
    .plan;
}

async function optimized(model: Model): Promise<Model> {
  const folder = mkdtempSync(join(tmpdir(), "avocet-test-"));
  try {
    const path = join(folder, "optimized.onnx");
    await using _session = await (await openRuntime()).open(model, { optimizedModelPath: path });
    return readModelFile(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** [op, op …] of the optimised graph without the quantizers at the ends and changes of layout. */
const opsOf = (model: Model) => [...model.graph.nodes].map((n) => n.op).filter((op) => op !== "Transpose");

const conv = (rest: string, more = "") => `f (float[1,8,10,10] x) => (float[] y) <float[8,8,3,3] w, float[8] b${more}> {
  c = Conv <pads = [1,1,1,1]> (x, w, b)
  ${rest} }`;

const zeroSix = ", float zero = {0.0}, float six = {6.0}";

/** Under ort-cpu: the operators that ONNX Runtime ends up with. */
const kernels: Record<string, [text: string, ops: string[]]> = {
  "Conv + Relu": [conv("y = Relu(c)"), ["QuantizeLinear", "QLinearConv", "DequantizeLinear"]],
  "Conv + Clip": [conv("y = Clip(c, zero, six)", zeroSix), ["QuantizeLinear", "QLinearConv", "DequantizeLinear"]],
  "Conv and LeakyRelu between convolutions": [
    conv("l = LeakyRelu(c)\n y = Conv(l, w, b2)", ", float[8] b2"),
    ["QuantizeLinear", "QLinearConv", "QLinearLeakyRelu", "QLinearConv", "DequantizeLinear"],
  ],
  "Conv and PRelu, which stays float": [
    conv("l = PRelu(c, s)\n y = Conv(l, w)", ", float[8,1,1] s"),
    ["QuantizeLinear", "QLinearConv", "DequantizeLinear", "PRelu", "QuantizeLinear", "QLinearConv", "DequantizeLinear"],
  ],
  "residual Add + Relu": [
    conv("a = Add(c, x)\n r = Relu(a)\n y = Conv(r, w)"),
    ["QuantizeLinear", "QLinearConv", "QLinearAdd", "QLinearConv", "DequantizeLinear"],
  ],
  "Concat of different ranges": [
    conv(
      "d = Conv(x, v)\n r = Relu(d)\n k = Concat <axis = 1> (c, r)\n y = Conv(k, u)",
      ", float[8,8,1,1] v, float[4,16,1,1] u",
    ),
    ["QuantizeLinear", "QLinearConv", "QLinearConv", "QLinearConcat", "QLinearConv", "DequantizeLinear"],
  ],
  "pooling, Flatten and Gemm at the end: the Gemm gives float itself": [
    conv(
      "m = MaxPool <kernel_shape = [2,2], strides = [2,2]> (c)\n g = GlobalAveragePool(m)\n f = Flatten(g)\n y = Gemm <transB = 1> (f, h, i)",
      ", float[5,8] h, float[5] i",
    ),
    ["QuantizeLinear", "QLinearConv", "NhwcMaxPool", "QLinearGlobalAveragePool", "Flatten", "QGemm"],
  ],
  "a Pad with zeros becomes the padding of the convolution": [
    conv("p = Pad(c, pads)\n y = Conv <strides = [2,2]> (p, w)", ", int64[8] pads = {0,0,0,0,0,0,1,1}"),
    ["QuantizeLinear", "QLinearConv", "QLinearConv", "DequantizeLinear"],
  ],
  "Sigmoid and Mul between convolutions": [
    conv("s = Sigmoid(c)\n m = Mul(c, s)\n y = Conv(m, w)"),
    ["QuantizeLinear", "QLinearConv", "QLinearSigmoid", "QLinearMul", "QLinearConv", "DequantizeLinear"],
  ],
  Split: [
    conv(
      "s, t = Split <axis = 1, num_outputs = 2> (c)\n u = Conv(s, v)\n w2 = Conv(t, v)\n y = Add(u, w2)",
      ", float[4,4,1,1] v",
    ),
    [
      "QuantizeLinear",
      "QLinearConv",
      "Split",
      "QLinearConv",
      "DequantizeLinear",
      "QLinearConv",
      "DequantizeLinear",
      "Add",
    ],
  ],
  "MatMul + Add at the end": [
    "f (float[2,3,16] x) => (float[] y) <float[16,5] w, float[5] b> { m = MatMul(x, w)\n y = Add(m, b) }",
    ["QuantizeLinear", "Reshape", "QGemm", "Reshape"],
  ],
  "a product of two activations": [
    "f (float[2,4,16] x) => (float[] y) <float[16,16] w> { k = MatMul(x, w)\n t = Transpose <perm = [0,2,1]> (k)\n y = MatMul(k, t) }",
    ["QuantizeLinear", "QLinearMatMul", "MatMulIntegerToFloat"],
  ],
};

describe("ort-cpu becomes integer kernels", () => {
  test.each(Object.entries(kernels))("%s", async (_, [text, expected]) => {
    const model = parseModel(text, { seed: 7 });
    const plan = await planned(model);
    const lowered = lower(model, plan);
    const shipped = lowered.model;
    const running = await optimized(shipped);
    expect(opsOf(running)).toEqual(expected);
    expect(kernelReport(lowered, running, plan).filter((finding) => !finding.integer)).toEqual([]);
  });
});

const floats: Record<string, [text: string, options: Partial<PlaceOptions> & { target?: string }, found: string[]]> = {
  "no reason needed: a stock session widens weights of four bits as it loads": [
    conv("y = Relu(c)"),
    { weights: parseGrid("int4") },
    [],
  ],
  "nor for activations of four bits: they are kept in eight": [
    conv("d = Conv(c, w2)\n y = Relu(d)", ", float[8,8,1,1] w2"),
    { weights: parseGrid("int2"), activations: parseGrid("uint4") },
    [],
  ],
  "sixteen bits of the weight": [
    conv("y = Relu(c)"),
    { weights: parseGrid("int16") },
    ["Conv_c: its weight is int16, and the integer kernels take 8 bits"],
  ],
  "sixteen bits": [
    conv("y = Relu(c)"),
    { activations: parseGrid("uint16") },
    ["Conv_c: its input is uint16, and the integer kernels take 8 bits"],
  ],
  "a transposed convolution": [
    conv("y = ConvTranspose(c, w)"),
    { target: "aimet-default" },
    ["ConvTranspose_y: ONNX Runtime has no integer ConvTranspose on CPU"],
  ],
  "what the user keeps": [
    conv("r = Relu(c)\n y = Conv(r, w2)", ", float[8,8,1,1] w2"),
    { keepFloat: ["y"] },
    ["Conv_y: you asked for y to stay in float"],
  ],
  "blocks of four bits": [
    "f (float[4,16] x) => (float[] y) <float[16,8] w> { y = MatMul(x, w) }",
    { weights: parseGrid("int4"), granularity: { block: 4 } },
    ["MatMul_y: its weight is int4, and the integer kernels take 8 bits"],
  ],
  "AIMET quantizes a Relu that is read twice apart from its convolution": [
    conv("r = Relu(c)\n s = Sigmoid(c)\n y = Add(r, s)"),
    { target: "aimet-default" },
    [],
  ],
};

test.each(Object.entries(floats))("a float kernel has its reason: %s", async (_, [text, options, expected]) => {
  const model = parseModel(text, { seed: 7 });
  const plan = await planned(model, options);
  const lowered = lower(model, plan);
  const shipped = lowered.model;
  const found = kernelReport(lowered, await optimized(shipped), plan).filter((finding) => !finding.integer);
  expect(found.map(({ node, reason }) => `${node.slice(node.indexOf(" ") + 1)}: ${reason}`)).toEqual(expected);
});

test.each(["int2", "uint2", "int8", "uint8"])(
  "blocks of %s run: ONNX Runtime would take them for channels",
  async (name) => {
    const texts = [
      "f (float[4,16] x) => (float[4,8] y) <float[16,8] w> { y = MatMul(x, w) }",
      "f (float[4,16] x) => (float[4,8] y) <float[16,8] w, float[8,8] v> { m = MatMul(x, w) y = MatMul(m, v) }",
      "f (float[1,8,5,5] x) => (float[1,8,3,3] y) <float[8,8,3,3] w> { y = Conv(x, w) }",
    ];
    for (const text of texts) {
      const model = parseModel(text, { seed: 7 });
      const plan = await planned(model, { weights: parseGrid(name), granularity: { block: 4 } });
      expect(plan.entries.find((entry) => entry.value === "w")!.granularity.kind).toBe("block");
      const shipped = lower(model, plan).model;
      const feeds = seededFeeds(model);
      const stock = await outputsOf(shipped, feeds, { optimization: "full" });
      const simulated = await outputsOf(shipped, feeds);
      stock.y!.floats().forEach((x, i) => {
        // Sums of 72 products in float32.
        expect(x).toBeCloseTo(simulated.y!.floats()[i]!, 4);
      });
    }
  },
);

test("a Clip whose bound the grid exceeds is not left out, and the report says so", async () => {
  const model = parseModel(conv("y = Clip(c, zero, six)", zeroSix), { seed: 7 });
  const plan = await planned(model);
  const y = plan.entries.find((entry) => entry.value === "y")!;
  const wide = withEntries(plan, new Map([["y", { ...y, encoding: { ...y.encoding!, scale: [6.6 / 255] } }]]));
  const lowered = lower(model, wide);
  const shipped = lowered.model;
  const [finding] = kernelReport(lowered, await optimized(shipped), wide);
  expect(finding).toMatchObject({
    integer: false,
    kernel: "FusedConv",
    reason: expect.stringContaining("beyond its bounds"),
  });
});

test.each([1, 1.0000001, 1.00001, 1.0015])(
  "a grid that ends %f times the bound still loads, on integers",
  async (factor) => {
    // Measured: ONNX Runtime 1.30 refuses such a model with "two nodes with same node name".
    const model = parseModel(conv("y = Clip(c, zero, six)", zeroSix), { seed: 7 });
    const plan = await planned(model);
    const y = plan.entries.find((entry) => entry.value === "y")!;
    const wide = withEntries(
      plan,
      new Map([["y", { ...y, encoding: { ...y.encoding!, scale: [(6 * factor) / 255] } }]]),
    );
    const lowered = lower(model, wide);
    const shipped = lowered.model;
    expect(kernelReport(lowered, await optimized(shipped), wide)).toMatchObject([{ integer: true }]);
    const scale = shipped.graph.valuesByName().get("y_scale")!.initializer!.numbers()[0]!;
    expect(Math.abs(scale - 6 / 255)).toBeLessThan(1e-8);
  },
);

test("a MaxPool behind a float convolution stays float: the runtime does not pull the quantizer in front of it", async () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
    f (float[1,3,16,16] x) => (float[1,8,8,8] y) <float[8,3,1,1] w, float[8,8,1,1] v> {
      c = Conv(x, w)
      r = Relu(c)
      p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (r)
      y = Conv(p, v) }`,
    { seed: 2 },
  );
  const running = [...(await optimized(lower(model, await planned(model)).model)).graph.nodes];
  const pool = running.find(({ op }) => op === "MaxPool")!;
  expect(pool.input(0)!.producer!.op).not.toBe("QuantizeLinear");
  expect(running.map(({ op }) => op)).toContain("QLinearConv");
});
