/** Intervals against published figures and against simulation. */
import { describe, expect, test } from "vitest";
import { Random } from "../base/inner.ts";
import { bootstrapInterval, mcNemar, meanInterval, pairedInterval, wilsonInterval } from "./inner.ts";

const rounded = (interval: readonly number[]) => interval.map((end) => Number(end.toFixed(4)));

describe("Wilson's interval", () => {
  test.each([
    // Newcombe, "Two-sided confidence intervals for the single proportion" (Statistics in Medicine 1998), table I, method 3
    [81, 263, [0.2553, 0.3662]],
    [15, 148, [0.0624, 0.1605]],
    [0, 20, [0, 0.1611]],
    [1, 29, [0.0061, 0.1718]],
  ])("%i of %i", (hits, count, wanted) => {
    expect(rounded(wilsonInterval(hits, count))).toEqual(wanted);
  });

  test("turns around with the share, and reaches the ends", () => {
    const [low, high] = wilsonInterval(3, 17);
    const [other, end] = wilsonInterval(14, 17);
    expect(other).toBeCloseTo(1 - high, 12);
    expect(end).toBeCloseTo(1 - low, 12);
    expect([wilsonInterval(20, 20)[1], wilsonInterval(0, 0)]).toEqual([1, [0, 1]]);
  });
});

describe("the interval of a mean", () => {
  // Student's table, two-sided 95 %; deviations of ±1 around a mean of 10 make half the width t · s / √n.
  test.each([
    [2, 12.706],
    [3, 4.303],
    [4, 3.182],
    [6, 2.571],
    [16, 2.131],
    [101, 1.984],
  ])("of %i numbers has Student's width", (n, t) => {
    const random = new Random(n);
    const values = Array.from({ length: n }, () => 10 + random.normal());
    const mean = values.reduce((a, b) => a + b, 0) / n;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1));
    const [low, high] = meanInterval(values);
    expect((low + high) / 2).toBeCloseTo(mean, 10);
    // Three digits of the table, and 1.2 % of the expansion at three degrees of freedom.
    expect((high - low) / 2 / ((t * deviation) / Math.sqrt(n))).toBeCloseTo(1, n === 4 ? 1 : 2);
  });

  test("is everything where the spread is unknown, and a point where there is none", () => {
    expect(meanInterval([3])).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect(meanInterval([2, 2, 2])).toEqual([2, 2]);
  });
});

describe("pairs", () => {
  test("Agresti and Min's interval: 150 and 86 of 1600 changed their minds", () => {
    // (b − c)/n with b = 150.5, c = 86.5, n = 1602; their example of approval ratings has 0.04 ± 0.02 without the halves.
    const [low, high] = pairedInterval(150, 86, 1600);
    expect((low + high) / 2).toBeCloseTo(64 / 1602, 12);
    expect(high - low).toBeCloseTo((2 * 1.959964 * Math.sqrt(237 - 64 ** 2 / 1602)) / 1602, 8);
  });

  test("equal models are equal, in either direction", () => {
    expect(pairedInterval(5, 5, 100)[0]).toBeCloseTo(-pairedInterval(5, 5, 100)[1], 12);
    expect(pairedInterval(9, 2, 100)[0]).toBeCloseTo(-pairedInterval(2, 9, 100)[1], 12);
  });

  test("holds the true difference in about 95 of 100 cases", () => {
    const random = new Random(3);
    let [held, trials] = [0, 1000];
    for (let trial = 0; trial < trials; trial++) {
      let [b, c] = [0, 0];
      for (let i = 0; i < 200; i++) {
        const drawn = random.uniform();
        if (drawn < 0.08) b++;
        else if (drawn < 0.11) c++;
      }
      const [low, high] = pairedInterval(b, c, 200);
      if (low <= 0.05 && 0.05 <= high) held++;
    }
    // Three deviations of a binomial with 0.95 in 1000 trials are 0.02.
    expect(held / trials).toBeGreaterThan(0.93);
    expect(held / trials).toBeLessThan(0.975);
  });

  test("McNemar's exact test is a binomial with ½", () => {
    // R: binom.test(2, 12)$p.value, binom.test(5, 16)$p.value, binom.test(86, 236)$p.value
    expect(mcNemar(10, 2)).toBeCloseTo(0.03857422, 8);
    expect(mcNemar(5, 11)).toBeCloseTo(0.2101135, 7);
    expect(mcNemar(2, 10)).toBe(mcNemar(10, 2));
    expect([mcNemar(0, 0), mcNemar(7, 7)]).toEqual([1, 1]);
    expect(mcNemar(150, 86)).toBeLessThan(5e-5);
  });
});

describe("the bootstrap", () => {
  test("of a share is near Wilson's", () => {
    const rows = Array.from({ length: 400 }, (_, i) => [i < 300 ? 1 : 0]);
    const [low, high] = bootstrapInterval(rows, ([sum = 0]) => sum / 400);
    const [from, to] = wilsonInterval(300, 400);
    // A thousand draws know an end to about a tenth of the width of the interval.
    expect(Math.abs(low - from)).toBeLessThan(0.01);
    expect(Math.abs(high - to)).toBeLessThan(0.01);
  });

  test("is the same for the same rows, and a point where all are equal", () => {
    const rows = Array.from({ length: 30 }, (_, i) => [i % 7, 10]);
    const ratio = ([a = 0, b = 1]: Float64Array) => a / b;
    expect(bootstrapInterval(rows, ratio)).toEqual(bootstrapInterval(rows, ratio));
    expect(bootstrapInterval([[1, 2], [1, 2]], ratio)).toEqual([0.5, 0.5]); // biome-ignore format: two rows
  });
});
