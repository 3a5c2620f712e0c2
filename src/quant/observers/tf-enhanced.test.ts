/** TF-Enhanced against what AIMET's analyzer returns for the same numbers (tools/tf_enhanced_goldens.py). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { shortScale } from "../grids/short-scale.ts";
import { TfEnhancedObserver } from "./tf-enhanced.ts";

type Batch = readonly [count: number, seed: number, spread: number, shift: number];
type Row = readonly [
  bits: number,
  symmetric: number,
  narrowRange: number,
  unsigned: number,
  scale: number,
  offset: number,
];

const golden: Record<string, { readonly batches: readonly Batch[]; readonly encodings: readonly Row[] }> = JSON.parse(
  readFileSync(new URL("golden/tf-enhanced.json", import.meta.url), "utf8"),
);

/** As the tool makes them: cubes of a sequence that fills (−1, 1), wider and moved. */
function numbers([count, seed, spread, shift]: Batch): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const u = (((i * 7919 + seed * 104_729) % 2003) - 1001) / 1001;
    return u * u * u * spread + shift;
  });
}

function observed(batches: readonly Batch[]): TfEnhancedObserver {
  const observer = new TfEnhancedObserver();
  for (const batch of batches) observer.see(numbers(batch));
  return observer;
}

describe.each(Object.entries(golden))("%s", (_, { batches, encodings }) => {
  test.each(encodings)(
    "%i bits, symmetric %i, narrow %i, unsigned %i",
    (bits, symmetric, narrowRange, unsigned, scale, offset) => {
      const choice = {
        bits,
        symmetric: symmetric === 1,
        narrowRange: narrowRange === 1,
        unsignedSymmetric: unsigned === 1,
      };
      const observer = observed(batches);
      const found = observer.propose(choice);
      expect(Math.abs(found.scale - scale)).toBeLessThanOrEqual(1e-6 * scale);
      expect(found.offset).toBe(offset);
      expect(observer.propose({ ...choice, shortScale: true })).toEqual({
        scale: shortScale(found.scale),
        offset: found.offset,
      });
    },
  );
});

test("it says what it saw; an empty batch is none", () => {
  const parts: Batch[] = [
    [1000, 6, 1, 0.1],
    [1500, 7, 0.5, 0],
  ];
  const observer = observed(parts);
  observer.see(new Float32Array(0));
  const all = parts.flatMap((part) => [...numbers(part)]);
  const { min, max, count, histogram } = observer.statistics();
  expect([min, max, count]).toEqual([Math.min(...all), Math.max(...all), 2500]);
  expect(histogram!.counts.reduce((a, b) => a + b)).toBeCloseTo(2500, 6);
  expect(Math.abs(histogram!.left - min)).toBeLessThan(2 * histogram!.width);
});

const byte = { bits: 8, symmetric: false };

test("only zeros are taken for −1 … 1, whatever the grid, with the offset rounded down", () => {
  const observer = new TfEnhancedObserver();
  observer.see(new Float32Array(10));
  expect(observer.propose(byte)).toEqual({ scale: 2 / 255, offset: -128 });
  expect(observer.propose({ bits: 4, symmetric: true, narrowRange: true })).toEqual({ scale: 2 / 14, offset: -7 });
});

test("nothing seen, and numbers that are none, are refused", () => {
  const observer = new TfEnhancedObserver();
  observer.see(new Float32Array(0));
  expect(() => observer.propose(byte)).toThrow("expected at least one number");
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    expect(() => observer.see(Float32Array.of(1, bad, 2))).toThrow("expected finite numbers");
});
