/** Opening data and labels of the disk: every form, its order, and what is said when it does not fit. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { gzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, missing } from "../../../test/fixtures.ts";
import { Tensor } from "../../tensor/inner.ts";
import { writeNpy } from "../arrays/npy.ts";
import { writeNpz } from "../arrays/npz.ts";
import { alignLabels, type Labels, type MaskLabels } from "../labels.ts";
import { samples } from "../selection.ts";
import { openData } from "./open-data-node.ts";
import { openLabels } from "./open-labels-node.ts";
import { parseDataSpec } from "./spec-node.ts";

let root = "";
const at = (...parts: string[]) => join(root, ...parts);
const inputs = (shape: (number | string)[], name = "x", dtype = "float32") => [{ name, dtype, shape }];
const pixels = inputs(["N", 3, 2, 2]);

/** A 2 × 2 image of one gray value. */
const png = (value: number, size = 2) =>
  encode({ width: size, height: size, channels: 1, data: new Uint8Array(size * size).fill(value) });

function put(path: string, bytes: Uint8Array | string): string {
  const whole = at(...path.split("/"));
  mkdirSync(join(whole, ".."), { recursive: true });
  writeFileSync(whole, bytes);
  return whole;
}

/** The first number of every sample. */
async function values(spec: string, options: Parameters<typeof openData>[1]): Promise<number[]> {
  const data = await openData(spec, options);
  const all: number[] = [];
  for await (const { feeds, size } of data.batches(2)) {
    const numbers = Object.values(feeds)[0]!.numbers();
    for (let i = 0; i < size; i++) all.push(numbers[(i * numbers.length) / size]!);
  }
  return all;
}
const classes = (labels: Labels) => Array.from({ length: labels.count }, (_, i) => labels.at(i));

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "avocet-data-"));
  for (const [path, value] of [
    ["classes/dog/b.png", 3],
    ["classes/cat/z.png", 2],
    ["classes/cat/a.png", 1],
    ["classes/dog/deep/c.png", 4],
    ["classes/.hidden/x.png", 9],
  ] as const) {
    put(path, png(value));
  }
  put("classes/notes.txt", "not an image");
});
afterAll(() => rmSync(root, { recursive: true }));

describe("pictures", () => {
  test("a folder, in the order of names; its class folders are labels", async () => {
    expect(await values(at("classes"), { inputs: pixels, preprocess: {} })).toEqual([1, 2, 3, 4]);
    const labels = await openLabels(at("classes"));
    expect(classes(labels)).toEqual([0, 0, 1, 1]);
    expect(labels.names).toEqual(["cat", "dog"]);
  });

  test("a part, and the labels of the whole beside it", async () => {
    const data = await openData(`${at("classes")}?except-every=2`, { inputs: pixels, preprocess: {} });
    const part = samples(data, 1);
    expect((await part.read([0])).x!.numbers()[0]).toBe(2);
    const labels = await openLabels(at("classes"));
    expect(classes(alignLabels(labels, data))).toEqual([0, 1]);
    expect(classes(alignLabels(labels, part))).toEqual([0]);
    expect(() => alignLabels(labels, samples(data, 1))).not.toThrow();
    const other = await openLabels(put("three.txt", "1\n2\n3\n"));
    expect(() => alignLabels(other, data)).toThrow("expected 2 labels, one per sample, got 3");
  });

  test("a pack, by either file, with index objects or a bare array", async () => {
    const parts = [png(5), png(6), png(7)];
    const images = parts.map((part, i) => ({
      offset: parts.slice(0, i).reduce((n, p) => n + p.length, 0),
      length: part.length,
      label: 2 - i,
    }));
    put("packs/a.jpgpack", Buffer.concat(parts));
    put("packs/a.json", JSON.stringify({ images }));
    put("bare/p.jpgpack", Buffer.concat(parts));
    put("bare/index.json", JSON.stringify(images));
    const options = { inputs: pixels, preprocess: {} };
    for (const path of ["packs/a.jpgpack", "packs/a.json", "bare/p.jpgpack", "bare/index.json"]) {
      expect(await values(at(path), options)).toEqual([5, 6, 7]);
      expect(classes(await openLabels(at(path)))).toEqual([2, 1, 0]);
    }
    put("packs/b.json", JSON.stringify([{ offset: 0, length: 1e6 }]));
    put("packs/b.jpgpack", png(1));
    await expect(openData(at("packs/b.json"), options)).rejects.toMatchObject({
      code: "data/unreadable",
      detail: { at: expect.stringContaining("image 0") },
    });
  });

  test("a damaged image is named with its number", async () => {
    put("damaged/a.png", png(1));
    put("damaged/b.png", png(2).slice(0, 60));
    const data = await openData(at("damaged"), { inputs: pixels, preprocess: {} });
    await expect(data.read([1])).rejects.toMatchObject({
      code: "data/unreadable",
      detail: { at: `${at("damaged", "b.png")} (image 1)` },
    });
    put("damaged/b.png", "GIF89a");
    await expect(data.read([1])).rejects.toThrow("expected a JPEG or PNG image, got bytes 47 49 46 38");
  });

  test("images of other sizes, without preprocessing, and of nothing", async () => {
    put("sizes/a.png", png(1));
    put("sizes/b.png", png(2, 4));
    const data = await openData(at("sizes"), { inputs: pixels, preprocess: {} });
    await expect(data.read([0, 1])).rejects.toMatchObject({ code: "data/wrong-shape" });
    await expect(openData(at("sizes"), { inputs: pixels })).rejects.toMatchObject({ code: "usage/missing" });
    mkdirSync(at("empty"));
    await expect(openData(at("empty"), { inputs: pixels })).rejects.toMatchObject({ code: "data/none" });
    await expect(openData(at("nothing"), { inputs: pixels })).rejects.toMatchObject({ code: "data/not-found" });
  });

  test("kept images are the same, and are not read again", async () => {
    put("kept/a.png", png(8));
    const data = await openData(at("kept"), { inputs: pixels, preprocess: {}, cacheBytes: 1000 });
    rmSync(at("kept/a.png"));
    expect((await data.read([0])).x!.numbers()[0]).toBe(8);
  });

  test("a link to its own folder does not go round", async () => {
    put("loop/a.png", png(1));
    symlinkSync(at("loop"), at("loop", "again"));
    expect(await values(at("loop"), { inputs: pixels, preprocess: {} })).toEqual([1]);
  });
});

describe("arrays", () => {
  const column = inputs(["N", 1]);
  test(".npy and .npz, one or several inputs", async () => {
    const x = Tensor.float32([3, 1], [1, 2, 3]);
    const y = Tensor.int64([3, 2], [1, 2, 3, 4, 5, 6]);
    expect(await values(put("x.npy", writeNpy(x)), { inputs: column })).toEqual([1, 2, 3]);
    const both = put("both.npz", writeNpz({ x, y }, { compress: true }));
    const data = await openData(both, { inputs: [...column, ...inputs(["N", 2], "y", "int64")] });
    expect(Object.keys(await data.read([2]))).toEqual(["x", "y"]);
    await expect(openData(both, { inputs: inputs(["N", 1], "z") })).rejects.toThrow(
      'expected data for the inputs "z", got "x", "y"',
    );
    expect(await values(put("one.npz", writeNpz({ arr_0: x })), { inputs: column })).toEqual([1, 2, 3]);
  });

  test("raw elements: shape after the question mark, in JSON beside, in JSON instead, inline", async () => {
    const raw = put("raw/v.f32", new Uint8Array(Float32Array.of(4, 5, 6, 7).buffer));
    const options = { inputs: inputs(["N", 2]) };
    expect(await values(`${raw}?shape=-1,2`, options)).toEqual([4, 6]);
    expect(await values(`${raw}?shape=-1,2&every=2`, options)).toEqual([4]);
    expect(await values(JSON.stringify({ file: raw, shape: [2, 2] }), options)).toEqual([4, 6]);
    put("raw/described.json", JSON.stringify({ file: "v.f32", dtype: "float32", shape: [-1, 2] }));
    expect(await values(at("raw/described.json"), options)).toEqual([4, 6]);
    put("raw/v.f32.json", JSON.stringify({ file: "v.f32", shape: [2, 2] }));
    expect(await values(raw, options)).toEqual([4, 6]);
    expect(await values(`${put("raw/z.f32.gz", gzipSync(readFileSync(raw)))}?shape=-1,2`, options)).toEqual([4, 6]);
    put("raw/out.json", JSON.stringify({ file: "../x.npy", dtype: "float32", shape: [-1] }));
    await expect(openData(at("raw/out.json"), options)).rejects.toMatchObject({ code: "import/path-escape" });
    await expect(openData(`${raw}?shape=3,2`, options)).rejects.toMatchObject({ code: "data/wrong-shape" });
    await expect(openData(put("raw/w.bin", "1234"), options)).rejects.toMatchObject({ code: "data/wrong-dtype" });
  });

  test("a gzip file that lies about its size", async () => {
    const bytes = gzipSync(new Uint8Array(100));
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(bytes.length - 4, 4e9, true);
    await expect(openData(`${put("lie.u8.gz", bytes)}?shape=-1`, { inputs: column })).rejects.toMatchObject({
      code: "data/unreadable",
    });
  });

  test("another kind of file", async () => {
    await expect(openData(put("model.onnx", "not data"), { inputs: column })).rejects.toMatchObject({
      code: "data/unreadable",
    });
    await expect(openData(put("bad.npy", "not data"), { inputs: column })).rejects.toThrow("expected a NumPy file");
  });
});

describe("labels", () => {
  test("text of numbers or names, .npy, raw, JSON", async () => {
    expect(classes(await openLabels(put("y.txt", "3\r\n1\r\n\r\n")))).toEqual([3, 1]);
    expect(classes(await openLabels(put("names.txt", "dog\ncat\ndog\n")))).toEqual([1, 0, 1]);
    expect(classes(await openLabels(at("names.txt"), { names: ["bird", "dog", "cat"] }))).toEqual([1, 2, 1]);
    expect(classes(await openLabels(put("y.npy", writeNpy(Tensor.int64([3], [2, 0, 1])))))).toEqual([2, 0, 1]);
    expect(classes(await openLabels(put("y.u8", Uint8Array.of(7, 8))))).toEqual([7, 8]);
    expect(classes(await openLabels(put("y.json", "[4, 5]")))).toEqual([4, 5]);
    expect(classes(await openLabels(`${at("y.npy")}?first=2`))).toEqual([2, 0]);
    await expect(openLabels(put("gap.txt", "1\n\n2"))).rejects.toThrow("line 2 is empty");
    await expect(openLabels(put("minus.npy", writeNpy(Tensor.int64([1], [-1]))))).rejects.toMatchObject({
      code: "data/labels",
    });
    await expect(openLabels(put("float.npy", writeNpy(Tensor.float32([1], [1]))))).rejects.toMatchObject({
      code: "data/labels",
    });
  });

  test("masks: raw, .npy, a folder of PNG", async () => {
    const masks = Uint8Array.from({ length: 12 }, (_, i) => i);
    const raw = (await openLabels(`${put("m.u8.gz", gzipSync(masks))}?shape=-1,2,2`)) as MaskLabels;
    expect([raw.kind, raw.count, raw.height, raw.width]).toEqual(["masks", 3, 2, 2]);
    expect([...raw.at(2)]).toEqual([8, 9, 10, 11]);
    const npy = (await openLabels(put("m.npy", writeNpy(Tensor.of("uint8", [3, 2, 2], masks))))) as MaskLabels;
    expect([...npy.at(1)]).toEqual([4, 5, 6, 7]);
    for (let i = 0; i < 3; i++) {
      put(`masks/${i}.png`, encode({ width: 2, height: 2, channels: 1, data: masks.slice(4 * i, 4 * i + 4) }));
    }
    const folder = (await openLabels(`${at("masks")}?skip=1`)) as MaskLabels;
    expect([...folder.at(1)]).toEqual([8, 9, 10, 11]);
  });
});

describe("specs", () => {
  test("keys after the question mark", () => {
    expect(parseDataSpec("a/b.u8?dtype=uint8&shape=-1x32x32x3&skip=2&samples=7")).toMatchObject({
      path: "a/b.u8",
      dtype: "uint8",
      shape: [-1, 32, 32, 3],
      selections: [{ text: "skip:2" }, { text: "7" }],
    });
    expect(parseDataSpec("plain/path").selections).toEqual([]);
    expect(() => parseDataSpec("x.npy?evry=2")).toThrow('got "evry"');
    expect(() => parseDataSpec("x.npy?every=two")).toThrow("expected all, N");
    const odd = put("odd?every=2.npy", writeNpy(Tensor.float32([1], [1])));
    expect(parseDataSpec(odd)).toEqual({ path: odd, selections: [] });
  });
});

describe("the fixtures", () => {
  const reason = missing(
    "imagenet1k-sample/index.json",
    "espnet-camvid/test_images.json",
    "cifar10/test_jpegq75_x.u8",
    "mnist/t10k-images-idx3-ubyte.gz",
  );
  test("open with the shapes of their models", async ({ skip }) => {
    skip(reason !== false, String(reason));
    const imagenet = await openData(`${fixture("imagenet1k-sample/index.json")}?except-every=5`, {
      inputs: inputs(["N", 3, 224, 224]),
      preprocess: { scale: "1/127.5", mean: 1 },
    });
    const labels = await openLabels(fixture("imagenet1k-sample/index.json"));
    expect([imagenet.count, alignLabels(labels, imagenet).at(4)]).toEqual([800, 6]);
    const camvid = await openData(`${fixture("espnet-camvid/test_images.json")}?every=4`, {
      inputs: inputs([1, 3, 360, 480]),
      preprocess: {
        color: "bgr",
        mean: [110.33134, 108.40915, 105.03352],
        std: [72.1252, 72.68854, 69.90261],
        gain: "1/255",
      },
    });
    const masks = await openLabels(fixture("espnet-camvid/test_images.json"));
    expect([camvid.count, masks.kind, masks.count, masks.names?.[11]]).toEqual([59, "masks", 233, "Void"]);
    const cifar = await openData(`${fixture("cifar10/test_jpegq75_x.u8")}?shape=-1,32,32,3`, {
      inputs: inputs(["N", 3, 32, 32]),
      preprocess: { scale: "1/255", mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    });
    expect(cifar.count).toBe(5000);
    const mnist = await openData(fixture("mnist/t10k-images-idx3-ubyte.gz"), {
      inputs: inputs([1, 1, 28, 28]),
      preprocess: { color: "gray" },
    });
    expect([mnist.count, (await openLabels(fixture("mnist/t10k-labels-idx1-ubyte.gz"))).at(0)]).toEqual([10_000, 7]);
  });
});
