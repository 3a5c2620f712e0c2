/** 2,000 cut and flipped variants of a model through `inspect` (some through `upgrade` and `optimize`): an error with a code or an answer each, and soon. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { avocet, type Workshop, workshop } from "../../test/command-line.ts";
import { Random } from "../base/inner.ts";
import { parseModel } from "../ir/inner.ts";

/** Something of everything that static shapes, costs, passes and placement look at. */
const text = `<ir_version: 7, opset_import: ["" : 11]> mixed (float[N,3,12,12] x, float[4,N,6] s) => (float[N,M] y, z, q)
  <float[4,3,3,3] w, float[4] g, float[4] b, float[4] m, float[4] v, float[4,2,2,2] u, float[2] k = {0.5, 2},
   int64[1] zero = {0}, int64[1] one = {1}, int64[1] last = {-1}, int64[2] to = {0, -1}, float[1,20,6] lw, float[1,20,5] lr,
   float[4] scales = {1, 1, 2, 2}, float[0] roi = {}, int64[8] pads = {0,0,1,1,0,0,1,1}, float[16,5] fc, float step = {0.1}, uint8 point = {128}> {
    c = Conv <pads = [1,1,1,1], strides = [2,2], dilations = [1,1]> (x, w)
    n = BatchNormalization <epsilon = 0.001> (c, g, b, m, v)
    r = Clip(n)
    p = MaxPool <kernel_shape = [2,2], strides = [2,2], ceil_mode = 1> (r)
    t = ConvTranspose <strides = [2,2]> (p, u)
    e = Resize <mode = "nearest"> (t, roi, scales)
    a = Pad(e, pads)
    h = Shape(a)
    i = Gather <axis = 0> (h, zero)
    j = Concat <axis = 0> (i, last)
    f = Reshape(a, j)
    d, o = Split <axis = 1> (f)
    l = QuantizeLinear(d, step, point)
    q = DequantizeLinear(l, step, point)
    ll, lh = LSTM <hidden_size = 5> (s, lw, lr)
    z = Transpose <perm = [1, 0, 2]> (lh)
    y = Slice(f, zero, last, one)
  }`;

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
  await shop.model("mixed.onnx", parseModel(text, { seed: 1, positive: ["v"] }));
});
afterAll(() => shop[Symbol.dispose]());

test("2,000 damaged variants", async () => {
  const whole = await avocet(["inspect", shop.at("mixed.onnx"), "--json"]);
  expect(JSON.parse(whole.out)).toMatchObject({ operators: { Conv: 1, LSTM: 1 }, unknownOperators: [] });
  const original = readFileSync(shop.at("mixed.onnx"));
  const random = new Random(11);
  const outcomes: Record<string, number> = {};
  for (let i = 0; i < 2000; i++) {
    const bytes = Uint8Array.from(i % 5 === 0 ? original.subarray(0, random.integer(original.length)) : original);
    for (let flips = i % 5 === 0 ? 0 : 1 + random.integer(4); flips > 0; flips--) {
      // Most bytes are weights; what describes them comes first and counts more.
      const at = random.integer(3) === 0 ? random.integer(bytes.length) : random.integer(Math.min(1200, bytes.length));
      bytes[at] = bytes[at]! ^ (1 << random.integer(8));
    }
    const path = shop.write("damaged.onnx", bytes);
    const start = performance.now();
    const { out } = await avocet(["inspect", path, "--json"]);
    const outcome = JSON.parse(out).error?.code ?? "answer";
    if (outcome === "internal") {
      throw new Error(`variant ${i}: ${JSON.parse(out).error.message}`);
    }
    if (outcome === "answer" && i % 4 === 1) {
      for (const command of ["upgrade", "optimize"]) {
        const more = command === "optimize" ? ["--no-execute"] : [];
        const { out: told } = await avocet([command, path, "-o", shop.at("made.onnx"), "--force", "--json", ...more]);
        const error = JSON.parse(told).error;
        if (error?.code === "internal") throw new Error(`variant ${i}, ${command}: ${error.message}`);
      }
    }
    expect(performance.now() - start, `milliseconds of variant ${i}`).toBeLessThan(5_000);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  expect(outcomes.answer).toBeGreaterThan(200);
  expect(outcomes["import/malformed"]).toBeGreaterThan(200);
}, 120_000);
