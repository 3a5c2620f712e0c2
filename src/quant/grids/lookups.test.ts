/** Grids of lists: every number of them, the ties between neighbours, what scale they get, and what a file stores. */
import { describe, expect, test } from "vitest";
import { nearestListed, numberLists } from "../../../test/number-lists.ts";
import { Random } from "../../base/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { quantizedTensor, scaleTensor } from "../lower/stored.ts";
import { encodeWeight } from "../observers/weight-encoding.ts";
import type { Encoding } from "./encoding.ts";
import { quantizeDequantize } from "./fake-quantize.ts";
import { parseGrid } from "./grid.ts";
import { inLevels, packScales } from "./two-level.ts";

const names = Object.keys(numberLists);
const counts: Record<string, number> = { float8e4m3fn: 127, float8e5m2: 124, float4e2m1: 8, int2half: 2 };

const encodingOf = (name: string, scale: number): Encoding => ({
  grid: parseGrid(name),
  granularity: { kind: "tensor" },
  symmetric: true,
  scale: [scale],
  offset: [0],
});

describe.each(names)("%s", (name) => {
  const list = numberLists[name]!;

  test("has all of its numbers, and each stays what it is", () => {
    expect(list).toHaveLength(counts[name]!);
    const all = Float32Array.from([...list, ...list.map((x) => -x)], (x) => x * 0.25);
    expect([...quantizeDequantize(Tensor.float32([all.length], all), encodingOf(name, 0.25)).floats()]).toEqual([
      ...all,
    ]);
  });

  test("takes the nearest one, at ties the even code, and ends at its ends", () => {
    const middles = list.slice(1).map((x, i) => (x + list[i]!) / 2);
    const random = new Random(5);
    const others = Array.from({ length: 500 }, () => random.normal() * list.at(-1)! * 0.4);
    const given = [...middles, ...middles.map((x) => -x), ...others, 1e9, -1e9, 1e-9].map(Math.fround);
    const found = quantizeDequantize(Tensor.float32([given.length], given), encodingOf(name, 1)).floats();
    expect([...found].map((x) => x + 0)).toEqual(given.map((x) => nearestListed(name, x) + 0));
  });

  test("is scaled so that the largest number is its end, per tensor, channel and block", () => {
    const w = Tensor.float32([2, 4], [1, -3, 0.5, 2, 0.1, 0.2, -0.4, 0.3]);
    const top = list.at(-1)!;
    const scales = (granularity: Encoding["granularity"]) =>
      encodeWeight(w, { grid: parseGrid(name), symmetric: true, granularity }, "minmax").scale.map((s) => s * top);
    const close = (found: number[], wanted: number[]) =>
      found.forEach((x, i) => {
        expect(x).toBeCloseTo(wanted[i]!, 6);
      });
    close(scales({ kind: "tensor" }), [3]);
    close(scales({ kind: "channel", axis: 0 }), [3, 0.4]);
    close(scales({ kind: "block", axis: 1, size: 2, channelAxis: 0 }), [3, 2, 0.2, 0.4]);
    expect(encodeWeight(Tensor.float32([1], [0]), { grid: parseGrid(name), symmetric: true }, "minmax").scale).toEqual([
      2 ** -126,
    ]);
  });

  test("is stored so that stored numbers times the stored scale are the numbers", () => {
    const encoding = encodingOf(name, 0.5);
    const w = Tensor.float32(
      [list.length],
      Float32Array.from(list, (x) => -x * 0.5),
    );
    const [stored] = scaleTensor(encoding, []).floats();
    expect(
      quantizedTensor(w, encoding)
        .numbers()
        .map((x) => x * stored! + 0),
    ).toEqual([...w.floats()].map((x) => x + 0));
  });
});

test("AIMET's two bits with half a step of shift: ±10.5 has the scale 7", () => {
  const w = Tensor.float32([2], [-10.5, 10.5]);
  const encoding = encodeWeight(w, { grid: parseGrid("int2half"), symmetric: true }, "minmax");
  expect(encoding.scale).toEqual([7]);
  expect([...quantizeDequantize(w, encoding).floats()]).toEqual([-10.5, 10.5]);
});

const blocks = (scale: number[], bits: 4 | 8): Encoding => ({
  grid: { kind: "int", bits, signed: true },
  granularity: { kind: "block", axis: 1, size: 2, channelAxis: 0 },
  symmetric: true,
  scale,
  offset: scale.map(() => -(2 ** (bits - 1))),
});

describe("scales on two levels", () => {
  test.each([
    [[16, 0.12, 1.6, 1.111, 0.16, 0.033], 4, [3, 4], [1, 0.1, 0.01], [16, 1, 16, 11, 16, 3]],
    [[25.6, 11.111, 256, 25.555], 8, [2, 4], [0.1, 1], [256, 111, 256, 26]],
  ] as const)("lpbq: AIMET's factors of %j in %i bits", (scale, bits, shape, coarse, factors) => {
    const made = inLevels(blocks([...scale], bits), shape, { form: "lpbq" }, bits);
    made.twoLevel!.coarse.forEach((s, i) => {
      expect(s).toBeCloseTo(coarse[i]!, 6);
    });
    expect(packScales(made, shape)).toEqual(factors);
    expect(made.twoLevel!.most).toBe(2 ** bits);
  });

  test("lpbq: with free bits of a factor, an error of half a coarse scale at most, and no factor below one", () => {
    const random = new Random(2);
    const scale = Array.from({ length: 24 }, () => 0.001 + Math.abs(random.normal()));
    const made = inLevels(blocks(scale, 4), [4, 12], { form: "lpbq", scaleBits: 3 }, 4);
    const factors = packScales(made, [4, 12])!;
    expect(Math.max(...factors)).toBe(8);
    scale.forEach((s, i) => {
      const coarse = made.twoLevel!.coarse[Math.floor(i / 6)]!;
      expect(Math.abs(made.scale[i]! - s)).toBeLessThanOrEqual(factors[i] === 1 ? coarse : coarse / 2 + 1e-9);
    });
  });

  test("mx: powers of two, from the largest number of a block as OCP MX 1.0 has it", () => {
    // Largest numbers 6, 7.9, 8 and 1: the largest powers of two in them over 4.
    const made = inLevels(
      { ...blocks([1, 7.9 / 6, 8 / 6, 1 / 6], 4), grid: parseGrid("fp4") },
      [2, 4],
      { form: "mx" },
      4,
    );
    expect(made.scale).toEqual([1, 1, 2, 0.25]);
    expect(packScales(made, [2, 4])).toEqual([1, 1, 2, 0.25]);
  });

  test("nvfp4: float8e4m3 times a float for the tensor", () => {
    const scale = [448, 100.5, 3.3, 0.001];
    const made = inLevels({ ...blocks(scale, 4), grid: parseGrid("fp4") }, [2, 4], { form: "nvfp4" }, 4);
    expect(made.twoLevel!.coarse).toEqual([1]);
    expect(made.scale).toEqual([448, 104, 3.25, 2 ** -9]);
    expect(made.scale.slice(0, 3)).toEqual(scale.slice(0, 3).map((s) => nearestListed("float8e4m3fn", s)));
    expect(packScales(made, [2, 4])).toEqual(made.scale);
  });
});
