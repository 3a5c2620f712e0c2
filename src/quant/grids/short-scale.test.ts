/** Short scales: what they are, what they cost, and that simulation and integer kernels agree to the last bit with them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { outputsOf, seededFeeds } from "../../../test/same-outputs.ts";
import { Random } from "../../base/inner.ts";
import { fromArray } from "../../data/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { builtinTarget, calibrate, lower, parseGrid, place } from "../inner.ts";
import { bestScale } from "../observers/exact-search.ts";
import { errorOf } from "../observers/observer-suite.ts";
import { shortestScale, shortScale, shortScaleBelow } from "./short-scale.ts";

/** Significant bits of a number. */
function bitsOf(x: number): number {
  let mantissa = x / 2 ** Math.floor(Math.log2(x));
  let bits = 1;
  for (; !Number.isInteger(mantissa); mantissa *= 2) bits++;
  return bits;
}

describe("a short scale", () => {
  test("lies within a 32nd of the scale and has six significant bits at most", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-7, max: 1e6, noNaN: true }), (scale) => {
        const [above, below] = [shortScale(scale), shortScaleBelow(scale)];
        expect(above).toBeGreaterThanOrEqual(scale);
        expect(above).toBeLessThanOrEqual(scale * (33 / 32));
        expect(below).toBeLessThanOrEqual(scale);
        expect(below).toBeGreaterThanOrEqual(scale * (31 / 32));
        expect(Math.max(bitsOf(above), bitsOf(below))).toBeLessThanOrEqual(6);
      }),
    );
  });

  test("of 6/255, the grid of ReLU6, is 3/128: two bits", () => {
    expect(shortScaleBelow(6 / 255)).toBe(3 / 128);
    expect(shortScale(1)).toBe(1);
  });

  test("costs a weight a twentieth of its error at most", () => {
    const random = new Random(3);
    const choice = { bits: 8, symmetric: true };
    let shorter = 0;
    for (let round = 0; round < 50; round++) {
      // Few numbers, one of them large: what depthwise weights behind dead channels look like.
      const values = Float32Array.from({ length: 9 + round * 4 }, (_, i) => random.normal() * (i === 0 ? 8 : 1));
      const least = bestScale(values, choice);
      const short = bestScale(values, { ...choice, shortScale: true });
      expect(errorOf(values, short, choice)).toBeLessThanOrEqual(errorOf(values, least, choice) * 1.0501);
      if (bitsOf(short.scale) <= 8) shorter++;
    }
    expect(shorter).toBeGreaterThan(40);
  });

  test("is not looked for among millions where weights lie on their grid exactly", () => {
    let tried = 0;
    const scale = 0.7 / 127;
    const found = shortestScale(scale, (s) => {
      tried++;
      return Math.abs(s - scale);
    });
    expect(found).toBe(scale);
    expect(tried).toBeLessThan(1000);
  });
});

/** Three convolutions on integers with ReLU6 between them, as in MobileNet. */
const source = `<ir_version: 10, opset_import: ["" : 21]>
  f (float[1,16,40,40] x) => (float[] y) <float[32,16,1,1] w1, float[32] b1, float[32,1,3,3] w2, float[32] b2,
    float[24,32,1,1] w3, float[24] b3, float zero = {0.0}, float six = {6.0}> {
    a = Conv(x, w1, b1)
    ra = Clip(a, zero, six)
    b = Conv <group = 32, pads = [1,1,1,1]> (ra, w2, b2)
    rb = Clip(b, zero, six)
    c = Conv(rb, w3, b3)
    y = Clip(c, zero, six) }`;

test("a stock session gives what the simulation gives, to the last bit", async () => {
  const model = parseModel(source, { seed: 11 });
  for (const name of ["w1", "w2", "w3"]) {
    const value = model.graph.valuesByName().get(name)!;
    value.initializer = Tensor.float32(
      value.initializer!.shape,
      value.initializer!.floats().map((w) => 2 * w),
    );
  }
  const runtime = await openRuntime();
  const feeds = seededFeeds(model);
  const shapes = await traceShapes(model, runtime, feeds);
  const data = fromArray("x", [1, 16, 40, 40], feeds.x!.floats());
  const placed = place(model, builtinTarget("ort-cpu"), { shapes, exactScales: true });
  expect(placed.entries.filter((e) => e.kind !== "bias").every((e) => e.shortScale)).toBe(true);
  // Sixteen bits run in float, where short scales gain nothing.
  const wide = place(model, builtinTarget("ort-cpu"), { shapes, activations: parseGrid("uint16"), exactScales: true });
  expect(wide.entries.filter((e) => e.kind === "activation").some((e) => e.shortScale)).toBe(false);
  // Without short scales 3 of 38,400 numbers differ on a machine with AVX-512.
  for (const scheme of ["sqnr", "minmax"] as const) {
    const { plan } = await calibrate(model, placed, runtime, data, { scheme });
    expect(plan.entries.find(({ value }) => value === "ra")?.encoding?.scale).toEqual([3 / 128]);
    const shipped = lower(model, plan).model;
    const stock = (await outputsOf(shipped, feeds, { optimization: "full" })).y!;
    expect(stock.numbers()).toEqual((await outputsOf(shipped, feeds)).y!.numbers());
  }
});
