/** Entropy next to ONNX Runtime's calibrator, and what spikes at zero and at the ends must not do. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { rangeOfAffine } from "../grids/range.ts";
import { divergenceOf, EntropyObserver } from "./entropy.ts";
import { encodeWeight } from "./weight-encoding.ts";

interface Golden {
  readonly levels: number;
  readonly bins: number;
  /** By shape and size of the window. */
  readonly divergences: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

const golden: Golden = JSON.parse(readFileSync(new URL("golden/entropy.json", import.meta.url), "utf8"));
const { bins, levels } = golden;
const middle = (bins - 1) / 2;
/** The counts of tools/entropy_goldens.py, by distance from the middle bin. */
const shapes = {
  normal: (x: number) => 1e6 * Math.exp(-((x / 150) ** 2) / 2),
  laplace: (x: number) => 1e6 * Math.exp(-Math.abs(x) / 60),
  "uniform with a tail": (x: number) => (Math.abs(x) < 300 ? 1e5 : 50),
};
const sum = (counts: Float64Array) => counts.reduce((a, b) => a + b, 0);

describe("numbers that recur", () => {
  const byte = { bits: 8, symmetric: false };
  /** Absolute values of a normal distribution, by its quantiles (Winitzki's approximation, to 2e-3). */
  const halfNormal = Float64Array.from({ length: 100_000 }, (_, i) => {
    const log = Math.log(1 - ((i + 0.5) / 100_000) ** 2);
    const mean = 2 / (Math.PI * 0.147) + log / 2;
    return Math.SQRT2 * Math.sqrt(Math.sqrt(mean * mean - log / 0.147) - mean);
  });
  const rangeOf = (values: Float64Array, spike: number, times: number, choice = byte) => {
    const observer = new EntropyObserver();
    observer.see(Float32Array.from(values));
    if (times > 0) observer.see(new Float32Array(times).fill(spike));
    return rangeOfAffine(observer.propose(choice), choice);
  };

  test("mostly zeros, as after Relu, do not narrow the range", () => {
    const plain = rangeOf(halfNormal, 0, 0);
    expect(plain[1]).toBeGreaterThan(3.5);
    // The share of what lies outside is another; it decides a flat optimum between windows two bins apart.
    for (const times of [100_000, 1_000_000])
      expect(Math.abs(rangeOf(halfNormal, 0, times)[1] - plain[1])).toBeLessThan(0.2);
    const signed = { bits: 8, symmetric: true };
    expect(rangeOf(halfNormal, 0, 300_000, signed)[1]).toBeGreaterThan(3.5);
  });

  test("nor do the constants of dead channels", () => {
    const constants = Float64Array.from({ length: 40_000 }, (_, i) => [0.35, 0.5, 1.2, 1.7][i % 4]!);
    expect(rangeOf(Float64Array.from([...halfNormal, ...constants]), 0, 100_000)[1]).toBeGreaterThan(3.5);
  });

  test("a spike at the upper end, as after Clip, stays inside", () => {
    const clipped = halfNormal.map((x) => Math.min(2 * x, 3));
    expect(rangeOf(clipped, 0, 50_000)).toEqual([0, 3]);
    expect(
      rangeOf(
        clipped.map((x) => -x),
        0,
        50_000,
      ),
    ).toEqual([-3, 0]);
  });
});

test("a weight keeps its whole range: a slice's few numbers do not fill a histogram", () => {
  const random = new Random(3);
  const values = Float32Array.from({ length: 500 }, () => random.normal());
  const options = { grid: { kind: "int", bits: 8, signed: true }, symmetric: true } as const;
  const weight = Tensor.float32([1, 500], values);
  expect(encodeWeight(weight, options, "entropy")).toEqual(encodeWeight(weight, options, "minmax"));
  const observer = new EntropyObserver();
  observer.see(values);
  expect(observer.propose({ bits: 8, symmetric: true }).scale, "which a histogram would cut").toBeLessThan(0.02);
});

describe.each(Object.entries(golden.divergences))("the divergence of a %s histogram", (name, divergences) => {
  const counts = Float64Array.from({ length: bins }, (_, i) =>
    Math.round(shapes[name as keyof typeof shapes](i - middle)),
  );

  test.each(Object.entries(divergences))("in a window of %s bins is ONNX Runtime's", (size, wanted) => {
    const start = middle - (Number(size) - 1) / 2;
    const stop = middle + (Number(size) - 1) / 2;
    const [below, above] = [sum(counts.slice(0, start)), sum(counts.slice(stop + 1))];
    const found = divergenceOf({ counts, start, stop, below, above, onLevels: 0 }, levels);
    // It sums float32 logarithms, cuts merged counts to integers and counts an empty bin as 1e-4 as well.
    expect(Math.abs(found - wanted) / wanted).toBeLessThan(2e-3);
  });
});
