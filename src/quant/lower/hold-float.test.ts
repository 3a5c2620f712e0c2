/** What the plan leaves in float stays in float in a stock session of ONNX Runtime, to the last bit of its weights. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { outputsOf, seededFeeds } from "../../../test/same-outputs.ts";
import { signalToNoise } from "../../../test/signal-to-noise.ts";
import { fromArray } from "../../data/inner.ts";
import { readModelFile } from "../../formats/inner-node.ts";
import { type Model, parseModel, printModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { builtinTarget, calibrate, lower, place } from "../inner.ts";

/** An integer convolution, one that is kept in float and whose channels differ a thousandfold (as MobileNet's), an integer one. */
const text = (middle: string) => `<ir_version: 10, opset_import: ["" : 21]>
  f (float[1,16,8,8] x) => (float[] y) <float[16,16,1,1] w1, float[16,1,3,3] w2, float[16] b2, float[16,16,1,1] w3, float zero = {0.0}, float six = {6.0}, int64[8] pads = {0,0,1,1,0,0,1,1}> {
    [first] a = Conv(x, w1)
    ${middle}
    [clip] c = Clip(m, zero, six)
    [last] y = Conv(c, w3) }`;

const models = {
  "a convolution": text("[kept] m = Conv <group = 16, pads = [1,1,1,1]> (a, w2, b2)"),
  "a convolution without bias": text("[kept] m = Conv <group = 16, pads = [1,1,1,1]> (a, w2)"),
  "a padding and a convolution": text("[pad] p = Pad(a, pads)\n    [kept] m = Conv <group = 16> (p, w2, b2)"),
  "a pooling and a convolution": text(
    "[pool] p = MaxPool <kernel_shape = [2,2]> (a)\n    [kept] m = Conv <group = 16, pads = [1,1,1,1]> (p, w2, b2)",
  ),
};

/** What ONNX Runtime makes of a model. */
async function optimized(model: Model): Promise<Model> {
  const folder = mkdtempSync(join(tmpdir(), "avocet-float-"));
  try {
    const path = join(folder, "optimized.onnx");
    await using _session = await (await openRuntime()).open(model, { optimizedModelPath: path });
    return readModelFile(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test.each(Object.entries(models))("%s", async (_name, source) => {
  const model = parseModel(source, { seed: 7 });
  const w2 = model.graph.valuesByName().get("w2")!;
  w2.initializer = Tensor.float32(
    [16, 1, 3, 3],
    w2.initializer!.floats().map((w, i) => w * (i < 9 ? 1000 : 1)),
  );
  const runtime = await openRuntime();
  const feeds = seededFeeds(model);
  const shapes = await traceShapes(model, runtime, feeds);
  const placed = place(model, builtinTarget("ort-cpu"), { shapes, keepFloat: ["kept"] });
  const data = fromArray("x", [1, 16, 8, 8], feeds.x!.floats());
  const shipped = lower(model, (await calibrate(model, placed, runtime, data, { scheme: "minmax" })).plan).model;
  expect(printModel(shipped)).toMatch(/\[kept\] \w+ = Conv\(\w+, w2/);
  const stock = (await outputsOf(shipped, feeds, { optimization: "full" })).y!.numbers();
  const simulated = (await outputsOf(shipped, feeds)).y!.numbers();
  const signal = simulated.reduce((sum, v) => sum + v * v, 0);
  const noise = simulated.reduce((sum, v, i) => sum + (v - stock[i]!) ** 2, 0);
  // The float one may run in a blocked layout, under another name and domain.
  const running = [...(await optimized(shipped)).graph.nodes].map(({ op }) => op).filter((op) => op.includes("Conv"));
  expect(running).toEqual(["QLinearConv", expect.stringMatching(/^(Fused)?Conv$/), "QLinearConv"]);
  // Single steps of the 8-bit grids may differ where rounding meets a tie; rounded weights would leave less than 10 dB.
  expect(10 * Math.log10(signal / (noise + 1e-30))).toBeGreaterThan(35);
});

test("float products that read float numbers are left alone", async () => {
  const model = parseModel("f (float[1,2,4,4] x) => (float[] y) <float[2,2,1,1] w> { y = Conv(x, w) }", { seed: 1 });
  expect(printModel(lower(model, { version: 1, target: "none", entries: [], notQuantized: [] }).model)).not.toContain(
    "Max",
  );
});

test("a Softmax whose grid is finer than ONNX Runtime's integer kernel can count, and a product with several matrices", async () => {
  const runtime = await openRuntime();
  const model = parseModel(
    `<ir_version: 10, opset_import: ["": 21]> g (float[N,8,6] x) => (float[N,8,5] y) <float[1,6,6] w, float[1,6,5] v, float k = {0.05}>
      { a = MatMul(x, w) b = Transpose <perm = [0,2,1]> (x) c = MatMul(a, b) d = Mul(c, k) s = Softmax <axis = -1> (d) e = MatMul(s, x) y = MatMul(e, v) }`,
    { seed: 4 },
  );
  const feeds = seededFeeds(model);
  const shapes = await traceShapes(model, runtime, feeds);
  const data = fromArray("x", [2, 8, 6], feeds.x!.floats());
  for (const name of ["aimet-default", "ort-cpu"]) {
    const { plan } = await calibrate(model, place(model, builtinTarget(name), { shapes }), runtime, data);
    const shipped = lower(model, plan).model;
    const [float, stock] = [await outputsOf(model, feeds), await outputsOf(shipped, feeds, { optimization: "full" })];
    // Eight bits leave 30 dB and more; the kernel that overflows leaves less than 10, the other one does not run.
    expect(signalToNoise(float.y!.floats(), stock.y!.floats()), name).toBeGreaterThan(25);
    const scales = plan.entries.find((entry) => entry.value === "v")!.encoding!.scale;
    // Integer kernels have one scale for several matrices; other targets have their scale per channel as AIMET does.
    expect(scales.length).toBe(name === "ort-cpu" ? 1 : 5);
  }
});
