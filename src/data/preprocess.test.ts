/** Preprocessing: the arithmetic of well-known models, the order of steps, and refusals. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Tensor } from "../tensor/inner.ts";
import { rowsOfTensor } from "./array-rows.ts";
import { scaledRows } from "./arrays/arrays.ts";
import type { Image } from "./images/image.ts";
import { arrayImages, imageDataset } from "./images/images.ts";
import { type PreprocessInput, parsePreprocess, preprocessSchema } from "./preprocess.ts";
import { valueMap } from "./preprocess-arithmetic.ts";

const noise: Image = {
  width: 5,
  height: 4,
  channels: 3,
  data: Uint8Array.from({ length: 60 }, (_, i) => (i * 37 + 11) % 256),
};

async function preprocessed(preprocess: PreprocessInput, image = noise) {
  const { width, height, channels, data } = image;
  const rows = rowsOfTensor(Tensor.of("uint8", [1, height, width, channels], data), "noise");
  const dataset = imageDataset(arrayImages(rows)!, { input: "x", preprocess: parsePreprocess(preprocess) });
  return (await dataset.read([0])).x!;
}

describe("normalising equals the formula in float64, rounded once", () => {
  const camvid = { mean: [110.33134, 108.40915, 105.03352], std: [72.1252, 72.68854, 69.90261] };
  const cases: [string, PreprocessInput, (x: number, channel: number) => number][] = [
    ["x/127.5 − 1", { scale: "1/127.5", mean: 1 }, (x) => x / 127.5 - 1],
    [
      "(x/255 − mean)/std",
      { scale: "1/255", mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
      (x, c) => (x / 255 - [0.485, 0.456, 0.406][c]!) / [0.229, 0.224, 0.225][c]!,
    ],
    [
      "(BGR − mean)/std/255",
      { color: "bgr", ...camvid, gain: "1/255" },
      (x, c) => (x - camvid.mean[c]!) / camvid.std[c]! / 255,
    ],
  ];
  test.each(cases)("%s", async (_name, preprocess, formula) => {
    const tensor = await preprocessed(preprocess);
    expect(tensor.shape).toEqual([1, 3, 4, 5]);
    const wanted = Array.from({ length: 60 }, (_, i) => {
      const [channel, pixel] = [Math.floor(i / 20), i % 20];
      const source = preprocess.color === "bgr" ? 2 - channel : channel;
      return Math.fround(formula(noise.data[pixel * 3 + source]!, channel));
    });
    expect(tensor.numbers()).toEqual(wanted);
  });

  test("nhwc, uint8, float16, gray", async () => {
    expect((await preprocessed({ layout: "nhwc", dtype: "uint8" })).numbers()).toEqual(Array.from(noise.data));
    expect((await preprocessed({ layout: "nhwc", dtype: "int8", mean: 128 })).numbers()).toEqual(
      Array.from(noise.data, (x) => x - 128),
    );
    expect((await preprocessed({ dtype: "float16", scale: "1/255" })).dtype).toBe("float16");
    const gray = await preprocessed({ color: "gray" });
    const [r, g, b] = noise.data;
    expect(gray.shape).toEqual([1, 1, 4, 5]);
    expect(gray.numbers()[0]).toBe((r! * 19595 + g! * 38470 + b! * 7471 + 0x8000) >> 16);
  });

  test("planar and interleaved arrays are the same images", async () => {
    const planes = await preprocessed({ dtype: "uint8" });
    const rows = rowsOfTensor(planes, "planes");
    const again = imageDataset(arrayImages(rows)!, { input: "x", preprocess: parsePreprocess({ dtype: "uint8" }) });
    expect((await again.read([0])).x!.numbers()).toEqual(planes.numbers());
  });

  test("arrays that are no images are scaled element by element", async () => {
    const rows = rowsOfTensor(Tensor.of("int8", [2, 2], Int8Array.of(-128, 83, 0, 127)), "kws");
    const scaled = scaledRows(rows, parsePreprocess({ mean: 83, gain: 0.5 }));
    expect((await scaled.read([1, 0])).numbers()).toEqual([-41.5, 22, -105.5, 0]);
    expect(() => scaledRows(rows, parsePreprocess({ crop: 2 }))).toThrow(/expected images/);
  });
});

describe("geometry", () => {
  test("a crop that does not fit", async () => {
    await expect(preprocessed({ crop: 8 })).rejects.toMatchObject({
      code: "data/wrong-shape",
      detail: { at: "noise, sample 0" },
    });
  });
  test("resizing comes before cropping", async () => {
    expect((await preprocessed({ resize: { short: 8 }, crop: [6, 8] })).shape).toEqual([1, 3, 8, 6]);
    expect((await preprocessed({ resize: { exact: [7, 3], filter: "lanczos" } })).shape).toEqual([1, 3, 3, 7]);
  });
});

describe("refusals name the field", () => {
  test.each<[string, unknown]>([
    ["mean", { mean: [1, 2] }],
    ["std", { std: 0 }],
    ["scale", { scale: "1/0" }],
    ["scale", { scale: "a third" }],
    ["resize", { resize: { short: 0 } }],
    ["sizes", { sizes: 3 }],
  ])("%s", (field, preprocess) => {
    expect(() => parsePreprocess(preprocess)).toThrow(field);
  });
  test("defaults are filled and survive JSON", () => {
    const filled = parsePreprocess({ resize: { short: 256 }, crop: 224, scale: "1/255" });
    expect(parsePreprocess(JSON.parse(JSON.stringify(filled)))).toEqual(filled);
    expect(filled).toMatchObject({ color: "rgb", layout: "nchw", resize: { filter: "bilinear" } });
  });
  test("it can be published as JSON Schema", () => {
    const schema = z.toJSONSchema(preprocessSchema, { io: "input" });
    expect(Object.keys(schema.properties!)).toEqual(Object.keys(preprocessSchema.shape));
    expect(schema.required).toBeUndefined();
  });
  test("255 times 1/255 is 1", () => {
    expect(valueMap(parsePreprocess({ scale: "1/255" }), 0)(255)).toBe(1);
  });
});
