/** Seeded numbers: an independent transcription of the papers as oracle, recorded numbers, and distributions. */
import { expect, test } from "vitest";
import { Random } from "./random.ts";

/** xoshiro128** of Blackman and Vigna (2018), figure 1, in BigInt; seeded by splitmix with MurmurHash3's finaliser. */
function* reference(seed: number): Iterable<number> {
  const word = (x: bigint) => BigInt.asUintN(32, x);
  const rotl = (x: bigint, k: bigint) => word((x << k) | (x >> (32n - k)));
  let state = BigInt(seed);
  const splitmix = () => {
    state = word(state + 0x9e3779b9n);
    let z = state;
    z = word((z ^ (z >> 16n)) * 0x85ebca6bn);
    z = word((z ^ (z >> 13n)) * 0xc2b2ae35n);
    return z ^ (z >> 16n);
  };
  const s = [splitmix(), splitmix(), splitmix(), splitmix() | 1n] as [bigint, bigint, bigint, bigint];
  for (;;) {
    yield Number(word(rotl(word(s[1] * 5n), 7n) * 9n));
    const t = word(s[1] << 9n);
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11n);
  }
}

test.each([0, 1, 2 ** 32 - 1])("seed %i gives the numbers of the paper", (seed) => {
  const random = new Random(seed);
  let checked = 0;
  for (const expected of reference(seed)) {
    expect(random.uint32()).toBe(expected);
    if (++checked === 1000) break;
  }
});

test("the numbers of a seed never change", () => {
  const random = new Random(42);
  expect([random.uint32(), random.uint32(), random.uint32()]).toMatchInlineSnapshot(`
    [
      2837322924,
      544945897,
      479756282,
    ]
  `);
  expect(random.uniform()).toMatchInlineSnapshot(`0.814939410083783`);
  expect(random.normal().toFixed(12)).toMatchInlineSnapshot(`"-0.013016263525"`); // the last bits depend on the platform's cos and log
  expect([...random.permutation(8)]).toMatchInlineSnapshot(`
    [
      1,
      4,
      0,
      7,
      6,
      5,
      3,
      2,
    ]
  `);
  expect(new Random(42).fork("weights").uint32()).toMatchInlineSnapshot(`724083845`);
});

test("a fork depends on seed and name, not on what was drawn or forked before", () => {
  const used = new Random(7);
  used.uint32();
  used.fork("other");
  expect(used.fork("a").uint32()).toBe(new Random(7).fork("a").uint32());
  expect(new Random(7).fork("a").uint32()).not.toBe(new Random(7).fork("b").uint32());
  expect(new Random(7).fork("a").uint32()).not.toBe(new Random(8).fork("a").uint32());
  expect(new Random(7).fork("").uint32()).not.toBe(new Random(7).uint32());
});

test("uniform numbers fill [low, high), normal ones have their moments, whole ones are fair", () => {
  const random = new Random(3);
  const n = 20_000;
  const uniform = Array.from({ length: n }, () => random.uniform(-2, 4));
  expect(Math.min(...uniform)).toBeGreaterThanOrEqual(-2);
  expect(Math.max(...uniform)).toBeLessThan(4);
  // Four standard errors: 4 · 6/√12 / √n.
  expect(Math.abs(uniform.reduce((a, b) => a + b) / n - 1)).toBeLessThan(0.05);
  const normal = Array.from({ length: n }, () => random.normal(1, 2));
  expect(Math.abs(normal.reduce((a, b) => a + b) / n - 1)).toBeLessThan(0.06);
  expect(Math.abs(normal.reduce((a, b) => a + (b - 1) ** 2, 0) / n - 4)).toBeLessThan(0.17); // 4 · 4 √(2/n)
  expect(normal.every(Number.isFinite)).toBe(true);
  const counts = new Array<number>(6).fill(0);
  for (let i = 0; i < n; i++) counts[random.integer(6)]!++;
  for (const count of counts) expect(Math.abs(count - n / 6)).toBeLessThan(4 * Math.sqrt((n * 5) / 36));
});

test("a permutation has each number once", () => {
  const order = [...new Random(5).permutation(1000)];
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  expect(order.slice(0, 10)).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect([...new Random(5).permutation(0)]).toEqual([]);
});
