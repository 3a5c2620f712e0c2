/** A histogram that grows, against counts of the same numbers one by one. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { clipped, GrowingHistogram, type Histogram, type Weight } from "./growing-histogram.ts";
import { binCount, plainKernel } from "./histogram-kernel.ts";

const random = new Random(21);
const spread = (count: number, deviation: number, mean = 0) =>
  Float32Array.from({ length: count }, (_, i) => (i % 10 === 0 ? 0 : random.normal() * deviation + mean));

/** Weighed counts in the bins of a histogram. */
function counted({ left, width }: Histogram, values: Float32Array, weight: (x: number, i: number) => number): number[] {
  const counts = new Array<number>(binCount).fill(0);
  values.forEach((x, i) => {
    counts[Math.floor((x - left) / width)]! += weight(x, i);
  });
  return counts;
}

function expectBins(found: Histogram, values: Float32Array): void {
  const [low, high] = [Math.min(...values, 0), Math.max(...values, 0)];
  expect(Number.isInteger(Math.log2(found.width)), "a power of two").toBe(true);
  expect(Number.isInteger(found.left / found.width), "zero on an edge").toBe(true);
  expect(found.left).toBeLessThanOrEqual(low);
  expect(found.left + binCount * found.width).toBeGreaterThan(high);
  expect((high - low) / found.width, "as narrow as they can be").toBeGreaterThan(binCount / 2 - 2);
  expect([found.min, found.max, found.count]).toEqual([Math.min(...values), Math.max(...values), values.length]);
  expect(found.zeros).toBe(values.filter((x) => x === 0).length);
}

describe("all in one group", () => {
  test.each([
    ["one batch", [spread(500, 1)]],
    ["a wider one later", [spread(300, 0.01), spread(200, 7, 3)]],
    ["a narrower one later", [spread(300, 9), spread(200, 0.1, -2)]],
    ["growing below", [spread(100, 0.2, 5), spread(100, 3, -40)]],
    ["far from zero", [spread(50, 0.01, 100), spread(70, 0.02, 103)]],
    ["all below zero", [spread(90, 0.5, -20)]],
    ["three sizes", [spread(90, 1e-5), spread(90, 1), spread(90, 1e5)]],
    ["as many bins as there are, and one more", [Float32Array.of(2047), Float32Array.of(2048)]],
    ["one more than there are", [Float32Array.of(2048)]],
    ["with an empty one", [spread(90, 1), new Float32Array(0), spread(10, 2)]],
  ])("%s", (_, batches) => {
    const histogram = new GrowingHistogram();
    for (const batch of batches) histogram.see(batch);
    const all = Float32Array.from(batches.flatMap((batch) => [...batch]));
    const found = histogram.histogram();
    expectBins(found, all);
    expect([...found.counts]).toEqual(counted(found, all, () => 1));
    expect(histogram.count).toBe(all.length);
    const { min, max, count, histogram: coarse } = histogram.statistics();
    expect([min, max, count]).toEqual([found.min, found.max, all.length]);
    expect(coarse!.counts.reduce((a, b) => a + b)).toBe(all.length);
  });

  test("nothing, zeros alone, and numbers that are none", () => {
    const empty = new GrowingHistogram();
    expect(empty.histogram()).toMatchObject({ width: 0, count: 0, zeros: 0 });
    empty.see(new Float32Array(5));
    expect(empty.histogram()).toMatchObject({ min: 0, max: 0, count: 5, zeros: 5 });
    expect(empty.histogram().width).toBeGreaterThan(0);
    for (const bad of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      const histogram = new GrowingHistogram();
      histogram.see(Float32Array.of(1, 2));
      expect(() => histogram.see(Float32Array.of(1, bad))).toThrow("expected finite numbers");
      expect(histogram.histogram()).toMatchObject({ min: 1, max: 2, count: 2 });
      expect(() => new GrowingHistogram().see(Float32Array.of(bad))).toThrow("expected finite numbers");
    }
  });
});

describe("in groups", () => {
  const groupOf = Uint8Array.of(0, 1, 0, 2);
  // [3 samples, 4 channels, 25].
  const values = spread(300, 2);
  const groupAt = (i: number) => groupOf[Math.floor(i / 25) % 4]!;
  const weights: readonly Weight[] = [
    { above: 1, below: 3 },
    { above: 10, below: 0.5 },
    { above: 0.25, below: 7 },
  ];

  test("counts are weighed by group and side of zero, before and after the bins grow", () => {
    const histogram = new GrowingHistogram(groupOf);
    histogram.see(values, 25);
    const wide = spread(300, 90);
    histogram.see(wide, 25);
    const all = Float32Array.of(...values, ...wide);
    const found = histogram.histogram(undefined, weights);
    const wanted = counted(found, all, (x, i) => (x < 0 ? weights[groupAt(i)]!.below : weights[groupAt(i)]!.above));
    found.counts.forEach((count, i) => {
      expect(count).toBeCloseTo(wanted[i]!, 9);
    });
    // Zeros have the mean weight of the bin that they lie in.
    const bin = Math.round(-found.left / found.width);
    const plain = histogram.histogram();
    expect(found.zeros).toBeCloseTo((plain.zeros * found.counts[bin]!) / plain.counts[bin]!, 9);
    expectBins(plain, all);
  });

  test("without planes all is the first group, without weights all count alike", () => {
    const histogram = new GrowingHistogram(groupOf);
    histogram.see(values);
    const found = histogram.histogram(undefined, weights);
    const wanted = counted(found, values, (x) => (x < 0 ? 3 : 1));
    expect([...found.counts]).toEqual(wanted);
    const one = new GrowingHistogram();
    one.see(values, 25);
    expect([...one.histogram().counts]).toEqual(counted(one.histogram(), values, () => 1));
  });

  test("no zero at all has no weight", () => {
    const histogram = new GrowingHistogram(groupOf);
    histogram.see(new Float32Array(100).fill(5), 25);
    expect(histogram.histogram(undefined, weights).zeros).toBe(0);
  });
});

describe("within ends", () => {
  const values = spread(2000, 3, 0.5);
  const seen = () => {
    const whole = new GrowingHistogram();
    whole.see(values);
    return { whole, all: whole.histogram() };
  };

  test.each([
    [-1, 2],
    [0, 6],
    [-2, 0],
    [0.3, 1e9],
    [-1e9, -0.4],
    [-1e9, 1e9],
    [Number.NEGATIVE_INFINITY, 1],
    [40, 50],
  ] as const)("%d … %d", (low, high) => {
    const { whole, all } = seen();
    const found = whole.histogram([low, high]);
    expect(found).toEqual(clipped(all, [low, high]));
    const at = (x: number) => Math.min(Math.max(Math.floor((x - all.left) / all.width), 0), binCount - 1);
    const [first, last] = [at(low), at(high)];
    const wanted = new Array<number>(binCount).fill(0);
    all.counts.forEach((count, i) => {
      wanted[Math.min(Math.max(i, first), last)]! += count;
    });
    if (high < all.max || low > all.min) expect([...found.counts]).toEqual(wanted);
    expect([found.min, found.max]).toEqual([
      Math.min(Math.max(all.min, low), high),
      Math.min(Math.max(all.max, low), high),
    ]);
    expect(found.counts.reduce((a, b) => a + b)).toBe(2000);
    const beyond = (low === 0 ? all.counts.slice(0, first) : all.counts.slice(last + 1)).reduce((a, b) => a + b, 0);
    expect(found.zeros).toBe(low === 0 || high === 0 ? all.zeros + beyond : all.zeros);
  });

  test("what is within is given back as it is, and so is nothing", () => {
    const { all } = seen();
    expect(clipped(all, [all.min, all.max])).toBe(all);
    const nothing = new GrowingHistogram().histogram();
    expect(clipped(nothing, [0, 1])).toBe(nothing);
    expect(
      all.counts.reduce((a, b) => a + b),
      "the original is not changed",
    ).toBe(2000);
  });
});

describe("growing", () => {
  const numbers = fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), { maxLength: 70 });

  test("keeps exactly what one histogram of all data would hold", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(numbers, fc.integer({ min: -8, max: 8 })), { minLength: 1, maxLength: 5 }),
        (batches) => {
          const grown = new GrowingHistogram();
          const all: number[] = [];
          for (const [values, exponent] of batches) {
            // Numbers that leave float32's normal range when divided are binned with the zeros.
            const x = Float32Array.from(values, (v) => (Math.abs(v) < 1e-20 ? 0 : v * 2 ** exponent));
            grown.see(x);
            all.push(...x);
          }
          const once = new GrowingHistogram(undefined, plainKernel);
          once.see(Float32Array.from(all));
          const [{ counts, ...found }, { counts: wanted, ...whole }] = [grown.histogram(), once.histogram()];
          expect(found).toEqual(whole);
          expect(counts.every((count, i) => count === wanted[i])).toBe(true);
        },
      ),
    );
  });

  test("in the middle of a batch of several pieces", () => {
    const random = new Random(7);
    // The range doubles about every 30,000 numbers, so pieces of 65,536 outgrow the bins of their predecessors.
    const x = Float32Array.from({ length: 300_000 }, (_, i) => random.uniform(-1, 1.5) * 2 ** (i / 30_000));
    const groupOf = Uint8Array.of(0, 1, 0);
    const [pieces, plain] = [new GrowingHistogram(groupOf), new GrowingHistogram(groupOf, plainKernel)];
    for (const h of [pieces, plain]) h.see(x, 100);
    const weights = [
      { above: 1, below: 2 },
      { above: 5, below: 7 },
    ];
    expect(pieces.histogram(undefined, weights)).toEqual(plain.histogram(undefined, weights));
  });

  test("zero is on an edge and at least a thousand bins are in use", () => {
    for (const [min, max] of [
      [-3, 5],
      [0, 6],
      [-1e-3, 0],
      [100, 101],
    ] as const) {
      const h = new GrowingHistogram();
      h.see(Float32Array.of(min, max));
      const { left, width } = h.histogram();
      expect(Number.isInteger(left / width)).toBe(true);
      expect((Math.max(max, 0) - Math.min(min, 0)) / width).toBeGreaterThan(1000);
    }
  });
});
