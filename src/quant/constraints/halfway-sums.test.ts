/** No sum ends half way between two steps: counted over all pairs of integers, and ONNX Runtime agrees with its simulation on all. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { outputsOf } from "../../../test/same-outputs.ts";
import { Random } from "../../base/inner.ts";
import { type Model, parseModel } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { shortScale } from "../grids/short-scale.ts";
import { type Encoding, lower, type Plan, type PlanEntry } from "../inner.ts";
import { withoutHalfwaySums } from "./halfway-sums.ts";

const encoding = (scale: number, offset: number): Encoding => ({
  grid: { kind: "int", bits: 8, signed: false },
  granularity: { kind: "tensor" },
  symmetric: false,
  scale: [scale],
  offset: [offset],
});

function entry(value: string, scale: number, offset: number, more: Partial<PlanEntry> = {}): PlanEntry {
  const { grid, granularity, symmetric, ...rest } = encoding(scale, offset);
  const own = { grid, granularity, symmetric };
  return { value, kind: "activation", ...own, shortScale: true, reason: "", encoding: { ...own, ...rest }, ...more };
}

const planOf = (...entries: PlanEntry[]): Plan => ({ version: 1, target: "ort-cpu", entries, notQuantized: [] });

const affine = (plan: Plan, value: string) => {
  const found = plan.entries.find((e) => e.value === value)!.encoding!;
  return { scale: found.scale[0]!, offset: found.offset[0]! };
};

type OfPair = (a: number, b: number) => number;
const operations: Record<string, OfPair> = { Add: (a, b) => a + b, Mul: (a, b) => a * b };

/** How many pairs of integers give a number exactly half way between two steps. Float64 holds all of it exactly. */
function tiesOf(plan: Plan, of: OfPair, [a, b, y]: readonly [string, string, string]): number {
  const [left, right, { scale }] = [affine(plan, a), affine(plan, b), affine(plan, y)];
  let ties = 0;
  for (let i = 0; i < 256; i++) {
    for (let j = 0; j < 256; j++) {
      const twice = 2 * of((i + left.offset) * left.scale, (j + right.offset) * right.scale);
      const odd = Math.round(twice / scale);
      if (Math.abs(odd) % 2 === 1 && odd * scale === twice) ties++;
    }
  }
  return ties;
}

const scales = fc.double({ min: 1e-3, max: 1, noNaN: true }).map(shortScale);
const offsets = fc.integer({ min: -255, max: 0 });

describe.each(Object.keys(operations))("%s of two grids", (op) => {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : 21]>
    f (float[256,256] a, float[256,256] b) => (float[256,256] y) { y = ${op}(a, b) }`);

  test("has no ties, whatever the scales", () => {
    let [before, after] = [0, 0];
    fc.assert(
      fc.property(scales, scales, scales, offsets, (a, b, y, offset) => {
        const given = planOf(entry("a", a, -100), entry("b", b, offset), entry("y", y, offset));
        const plan = withoutHalfwaySums(given, { model });
        before += tiesOf(given, operations[op]!, ["a", "b", "y"]);
        after += tiesOf(plan, operations[op]!, ["a", "b", "y"]);
        const { scale } = affine(plan, "y");
        expect(scale / y).toBeGreaterThanOrEqual(15 / 16);
        expect(scale / y).toBeLessThanOrEqual(9 / 8);
      }),
      { numRuns: 40, seed: 5 },
    );
    expect(after).toBe(0);
    expect(before).toBeGreaterThan(1000);
  });

  test("runs on integers as it is simulated", async () => {
    const random = new Random(8);
    for (let round = 0; round < 3; round++) {
      const [a = 0, b = 0, y = 0] = Array.from({ length: 3 }, () => shortScale(2 ** (-3 * random.uniform() - 3)));
      const zero = () => -random.integer(256);
      const given = planOf(entry("a", a, zero()), entry("b", b, zero()), entry("y", y, zero()));
      await expectAsSimulated(model, withoutHalfwaySums(given, { model }));
    }
  });
});

/** Every pair of integers of a and b in a stock session and without optimisation. */
async function expectAsSimulated(model: Model, plan: Plan): Promise<void> {
  const grid = (value: string, of: (i: number) => number) => {
    const { scale, offset } = affine(plan, value);
    return Tensor.float32(
      [256, 256],
      Float32Array.from({ length: 65536 }, (_, i) => (of(i) + offset) * scale),
    );
  };
  const feeds = { a: grid("a", (i) => i >> 8), b: grid("b", (i) => i & 255) };
  const shipped = lower(model, plan).model;
  const stock = (await outputsOf(shipped, feeds, { optimization: "full" })).y!;
  expect(stock.numbers()).toEqual((await outputsOf(shipped, feeds)).y!.numbers());
}

test("along a residual stream, past activation functions and for constants", () => {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
    f (float[8] x, float[8] a, float[8] b, float[8] c) => (float[8] y) <float[8] k, float zero = {0.0}, float six = {6.0}> {
      p = Add(x, a)
      r = Relu(p)
      q = Add(r, b)
      s = Clip(q, zero, six)
      t = Add(s, c)
      y = Add(t, k) }`,
    { seed: 1 },
  );
  fc.assert(
    fc.property(fc.array(scales, { minLength: 9, maxLength: 9 }), (all) => {
      const names = ["x", "a", "b", "c", "r", "s", "t", "y"];
      const entries = names.map((name, i) => entry(name, name === "s" ? 3 / 128 : all[i]!, name === "s" ? 0 : -17));
      const plan = withoutHalfwaySums(planOf(...entries, entry("k", all[8]!, -128, { kind: "weight" })), { model });
      for (const [a, b, y] of [["x", "a", "r"], ["r", "b", "s"], ["s", "c", "t"], ["t", "k", "y"]] as const)
        expect(tiesOf(plan, operations.Add!, [a, b, y])).toBe(0); // biome-ignore format: a table
      // ONNX Runtime leaves the Clip out only while the grid lies within its bounds.
      expect(255 * affine(plan, "s").scale).toBeLessThanOrEqual(6);
    }),
    { numRuns: 8, seed: 1 },
  );
});

test("values that share the scale of a later one ask for another pass", () => {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : 21]>
    f (float[1,8] x, float[1,8] a) => (float[1,16] y) { p = Add(x, a)  y = Concat <axis = 1> (p, a) }`);
  const fine = 129 / 2 ** 14;
  const entries = [entry("x", 3 / 64, -7), entry("a", fine, 0, { sharesEncodingOf: "y" }), entry("p", fine, 0, { sharesEncodingOf: "y" }), entry("y", 1 / 16, -9)]; // biome-ignore format: one thought
  const plan = withoutHalfwaySums(planOf(...entries), { model });
  expect(affine(plan, "p")).toEqual(affine(plan, "y"));
  expect(tiesOf(plan, operations.Add!, ["x", "a", "p"])).toBe(0);
});

const pools: Record<string, [text: string, shape: readonly number[]]> = {
  "AveragePool 2x2": ["AveragePool <kernel_shape = [2,2], strides = [2,2]> (a)", [1, 16, 32, 32]],
  "AveragePool 4x3, cut at the edges": ["AveragePool <kernel_shape = [4,3], pads = [1,1,2,1]> (a)", [1, 8, 15, 15]],
  "GlobalAveragePool of 64": ["GlobalAveragePool(a)", [1, 256, 8, 8]],
  "GlobalAveragePool of 49": ["GlobalAveragePool(a)", [1, 256, 7, 7]],
};

describe.each(Object.entries(pools))("%s", (_, [text, shape]) => {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : 21]>
    f (float[${shape.join(",")}] a) => (float[] y) { y = ${text} }`);
  // AIMET ties what AveragePool returns to what it takes: no lower bit is left, and the zero point must be even.
  test.each(["a scale of its own", "the scale of its input"])("with %s runs as it is simulated", async (which) => {
    const random = new Random(4);
    for (let round = 0; round < 2; round++) {
      const [scale, own] = [shortScale(2 ** (-2 * random.uniform() - 5)), shortScale(2 ** (-2 * random.uniform() - 6))];
      const offset = -random.integer(128) * 2 - 1;
      const head = entry("a", scale, offset);
      const y =
        which === "a scale of its own" ? entry("y", own, -101) : entry("y", scale, offset, { sharesEncodingOf: "a" });
      const plan = withoutHalfwaySums(planOf(head, y), { model });
      const { scale: step, offset: zero } = affine(plan, "a");
      if (which !== "a scale of its own") expect(Math.abs(zero % 2)).toBe(0);
      expect(step * zero).toBeLessThanOrEqual(scale * offset + 1e-9);
      expect(step * (zero + 255)).toBeGreaterThanOrEqual(scale * (offset + 255) - 1e-9);
      const length = shape.reduce((product, d) => product * d, 1);
      const numbers = Float32Array.from({ length }, () => (random.integer(256) + zero) * step);
      const feeds = { a: Tensor.float32(shape, numbers) };
      const shipped = lower(model, plan).model;
      const stock = (await outputsOf(shipped, feeds, { optimization: "full" })).y!;
      expect(stock.numbers()).toEqual((await outputsOf(shipped, feeds)).y!.numbers());
    }
  });
});

test("frozen entries, and those that do not ask for short scales, stay as they are", () => {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : 21]>
    f (float[8] x, float[8] a) => (float[8] y) { y = Add(x, a) }`);
  const [x, a] = [entry("x", 3 / 64, -7), entry("a", 1 / 64, -7)];
  const { shortScale: _, ...long } = entry("y", 1 / 16, -9);
  for (const y of [long, entry("y", 1 / 16, -9, { frozen: true })])
    expect(withoutHalfwaySums(planOf(x, a, y), { model })).toEqual(planOf(x, a, y));
});
