import { describe, expect, test } from "vitest";
import { Random } from "../base/inner.ts";
import { classLabels, fromIterable, fromTensors, maskLabels } from "../data/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { augmentAll, crop, flip } from "./augment.ts";
import { mixup } from "./mixup.ts";
import { labelled, shuffled } from "./training-data.ts";

/** Two channels of 3 × 3 whose elements tell their sample, channel, row and column. */
const pictures = (samples: number) =>
  Tensor.float32(
    [samples, 2, 3, 3],
    Array.from({ length: samples * 18 }, (_, i) => {
      const [sample, channel, row, column] = [Math.floor(i / 18), Math.floor(i / 9) % 2, Math.floor(i / 3) % 3, i % 3];
      return 1000 * (sample + 1) + 100 * channel + 10 * row + column;
    }),
  );
const masks = (samples: number) =>
  Tensor.int64(
    [samples, 3, 3],
    Array.from({ length: samples * 9 }, (_, i) => 10 * (Math.floor(i / 3) % 3) + (i % 3)),
  );
const batch = { x: pictures(40), mask: masks(40) };

/** What a picture became: offset of its rows and columns, or null outside. */
function expectAlike(x: Tensor, mask: Tensor, outside: number): void {
  x.floats().forEach((value, i) => {
    const [sample, place] = [Math.floor(i / 18), i % 9];
    const label = mask.numbers()[sample * 9 + place]!;
    if (value === 0) expect(label).toBe(outside);
    else expect(value % 100).toBe(label);
    if (value !== 0)
      expect([Math.floor(value / 1000) - 1, Math.floor(value / 100) % 10]).toEqual([sample, Math.floor(i / 9) % 2]);
  });
}

describe("flip", () => {
  test("mirrors about half of the pictures, and their masks with them", () => {
    const { x, mask } = flip("x", "mask")(batch, new Random(1));
    expectAlike(x!, mask!, -1);
    const first = x!.floats().filter((_, i) => i % 18 === 0);
    const mirrored = [...first].filter((value) => value % 10 === 2).length;
    expect(mirrored).toBeGreaterThan(10);
    expect(mirrored).toBeLessThan(30);
    expect([...first].every((value) => value % 10 === 0 || value % 10 === 2)).toBe(true);
  });
});

describe("crop", () => {
  test("moves pictures and masks by up to the padding, and fills what comes in", () => {
    const { x, mask } = crop(["x", "mask"], { pad: 1, outside: { mask: 255 } })(batch, new Random(1));
    expectAlike(x!, mask!, 255);
    const centres = new Set([...x!.floats()].filter((_, i) => i % 9 === 4).map((value) => value % 100));
    expect([...centres].sort((a, b) => a - b)).toEqual([0, 1, 2, 10, 11, 12, 20, 21, 22]);
  });

  test("a padding must be whole pixels", () => {
    expect(() => crop(["x"], { pad: 0.5 })).toThrow("expected a padding of at least one pixel, got 0.5");
  });
});

test("the same stream gives the same batch; parts have streams of their own", () => {
  const all = augmentAll([flip("x"), crop(["x"], { pad: 1 })]);
  const pixels = (seed: number) => all(batch, new Random(seed)).x!.floats();
  expect(pixels(3)).toEqual(pixels(3));
  expect(pixels(3)).not.toEqual(pixels(4));
});

describe("mixup", () => {
  test("samples and targets are mixed by the same share", () => {
    const feeds = {
      x: Tensor.float32([4, 2], [0, 0, 1, 1, 2, 2, 3, 3]),
      labels: Tensor.int64([4], [0, 1, 2, 3]),
    };
    for (let seed = 0; seed < 20; seed++) {
      const { x, labels } = mixup({ input: "x", classes: 4 })(feeds, new Random(seed));
      expect(labels!.shape).toEqual([4, 4]);
      for (let sample = 0; sample < 4; sample++) {
        const distribution = labels!.floats().subarray(4 * sample, 4 * sample + 4);
        // Samples hold their class number: its mean under the target is what the mixed sample must hold.
        const mean = distribution.reduce((sum, share, label) => sum + share * label, 0);
        expect(x!.floats()[2 * sample]).toBeCloseTo(mean, 5);
        expect(distribution.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
      }
    }
  });

  test("Beta(α, α) has mean 1/2 and variance 1 / (8 α + 4)", () => {
    const feeds = { x: Tensor.float32([2, 1], [0, 1]), labels: Tensor.int64([2], [0, 1]) };
    const mix = mixup({ input: "x", classes: 2, alpha: 0.5 });
    const shares: number[] = [];
    for (let seed = 0; seed < 4000; seed++) {
      const share = mix(feeds, new Random(seed)).labels!.floats()[0]!;
      if (share !== 1) shares.push(share);
    }
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / shares.length;
    // About 2,000 draws: three standard errors are 0.024 and 0.009.
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.024);
    expect(Math.abs(variance - 1 / 8)).toBeLessThan(0.009);
  });
});

describe("data to train on", () => {
  const data = fromTensors({ x: Tensor.float32([3, 1], [10, 11, 12]) });

  test("labels of classes and of pixels become a target", async () => {
    const classes = labelled(data, classLabels([5, 6, 7], "test"));
    expect((await classes.read([2, 0])).labels!.numbers()).toEqual([7, 5]);
    const pixels = labelled(data, maskLabels(Uint8Array.of(1, 2, 3, 4, 5, 6), [3, 1, 2], "test"), "mask");
    const { mask } = await pixels.read([1]);
    expect([mask!.shape, mask!.numbers()]).toEqual([
      [1, 1, 2],
      [3, 4],
    ]);
    expect(() => labelled(data, classLabels([1], "test"))).toThrow("expected 3 labels");
  });

  test("a stream is held in memory, if it fits", async () => {
    const stream = fromIterable(function* () {
      for (let i = 0; i < 40; i++) yield { x: Tensor.float32([1, 1], [i]) };
    });
    const held = await shuffled(stream, 160);
    expect((await held.read([39, 3])).x!.floats()).toEqual(Float32Array.of(39, 3));
    await expect(shuffled(stream, 159)).rejects.toMatchObject({ code: "data/too-large" });
  });
});
