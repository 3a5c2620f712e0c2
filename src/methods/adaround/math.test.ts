import { expect, test } from "vitest";
import {
  alphaOf,
  betaAt,
  reconstructionLoss,
  rectifiedSigmoid,
  rectifiedSlope,
  roundingLoss,
  roundingSlope,
} from "./math.ts";

const usual = { iterations: 10_000, warmStart: 0.2, betaStart: 20, betaEnd: 2 };

/** NumPy's `random.seed(seed); random.rand(n)`: MT19937, 53 bits a number. */
function numpyRand(seed: number, n: number): number[] {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) {
    const last = state[i - 1]! ^ (state[i - 1]! >>> 30);
    state[i] = Math.imul(1812433253, last) + i;
  }
  let at = 624;
  const next = () => {
    if (at === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (state[i]! & 0x80000000) | (state[(i + 1) % 624]! & 0x7fffffff);
        state[i] = state[(i + 397) % 624]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
  return Array.from({ length: n }, () => ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992);
}

test("β follows AIMET's golden number, from start to end", () => {
  expect(betaAt(8000, usual)).toBeCloseTo(4.636038969321072, 12);
  expect(betaAt(2000, usual)).toBeCloseTo(20, 12);
  expect(betaAt(10_000, usual)).toBeCloseTo(2, 12);
});

test("the rounding loss equals AIMET's golden number, and is zero during the warm start", () => {
  const alphas = numpyRand(0, 3 * 12 * 12);
  expect(alphas[0]).toBeCloseTo(0.5488135, 7);
  expect(roundingLoss(alphas, 8000, 0.01, usual)).toBeCloseTo(4.266156963161077, 5 /* as AIMET's own test */);
  expect(roundingLoss(alphas, 10, 0.01, usual)).toBe(0);
  // The first iteration behind the warm start is not part of it: β is 20 there, and h(0) = ½ costs λ.
  expect(roundingLoss([0], 1999, 0.01, usual)).toBe(0);
  expect(roundingLoss([0], 2000, 0.01, usual)).toBe(0.01);
});

test("h starts at the fraction of the weight and reaches both ends", () => {
  for (const rest of [0.01, 0.3, 0.5, 0.99]) expect(rectifiedSigmoid(alphaOf(rest))).toBeCloseTo(rest, 10);
  expect(rectifiedSigmoid(-5)).toBe(0);
  expect(rectifiedSigmoid(5)).toBe(1);
});

test("slopes are those of central differences", () => {
  const step = 1e-5;
  // h is clipped from |α| = ln 11 = 2.398 on.
  for (const alpha of [-5, -2.5, -2.3, -2, -0.7, 0.1, 1.3, 2, 2.3, 2.5, 5]) {
    const difference = (rectifiedSigmoid(alpha + step) - rectifiedSigmoid(alpha - step)) / (2 * step);
    expect(rectifiedSlope(alpha)).toBeCloseTo(difference, 8);
  }
  const loss = (h: number, beta: number) => 0.3 * (1 - Math.abs(2 * h - 1) ** beta);
  for (const h of [0.1, 0.35, 0.6, 0.9]) {
    for (const beta of [2, 4.6, 20]) {
      const difference = (loss(h + step, beta) - loss(h - step, beta)) / (2 * step);
      expect(roundingSlope(h, beta, 0.3)).toBeCloseTo(difference, 6);
    }
  }
  // Half way h is pushed to neither side.
  expect(roundingSlope(0.5, 2, 0.3)).toBeCloseTo(0, 12);
});

test("the reconstruction loss sums over channels and averages over the rest", () => {
  // Two samples, three channels, two positions: differences of 1 everywhere give 3.
  expect(reconstructionLoss(new Array(12).fill(1), new Array(12).fill(0), 3)).toBe(3);
  expect(reconstructionLoss(new Array(12).fill(3), new Array(12).fill(1), 3)).toBe(12);
});
