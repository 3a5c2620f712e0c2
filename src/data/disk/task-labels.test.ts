/** Labels of texts, boxes and sounds on disk: every form, and what is said when it does not fit. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alignLabels } from "../labels.ts";
import { samples } from "../selection.ts";
import { dataFingerprint } from "./fingerprint-node.ts";
import { openData } from "./open-data-node.ts";
import { openLabels } from "./open-labels-node.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "avocet-labels-"));
});
afterAll(() => rmSync(root, { recursive: true }));
const put = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(root, name), content);
  return join(root, name);
};
const json = (name: string, value: unknown) => put(name, JSON.stringify(value));

describe("texts", () => {
  test("a line each, the last break begins none, and an empty one is a text", async () => {
    const labels = await openLabels(put("lines.txt", "one two\r\n\nthree\n"), { kind: "texts" });
    expect([labels.count, labels.at(0), labels.at(1), labels.at(2)]).toEqual([3, "one two", "", "three"]);
    expect(() => labels.at(3)).toThrow(/a text for sample 3/);
  });

  test("JSON, and the index of a pack, whose images are read next to it", async () => {
    expect((await openLabels(json("t.json", ["a", "b"]), { kind: "texts" })).at(1)).toBe("b");
    const image = encode({ width: 3, height: 2, channels: 1, data: new Uint8Array(6).fill(7) });
    put("pages.pngpack", Buffer.concat([image, image]));
    const images = ["x", "y"].map((text, i) => ({ offset: i * image.length, length: image.length, text }));
    const index = json("pages.json", { images });
    for (const path of [index, join(root, "pages.pngpack")]) {
      expect((await openLabels(`${path}?skip=1`, { kind: "texts" })).at(0)).toBe("y");
      const data = await openData(path, {
        inputs: [{ name: "x", dtype: "float32", shape: ["N", 1, 2, "W"] }],
        preprocess: { color: "gray" },
      });
      expect((await data.read([1])).x!.shape).toEqual([1, 1, 2, 3]);
    }
  });

  test.each([
    { name: "half.json", value: ["a", 1], text: /sample 1 has none/ },
    { name: "numbers.json", value: [1, 2], text: /expected texts/ },
    { name: "long.json", value: ["a".repeat(70_000)], text: /at most 65536 characters/ },
    { name: "none.json", value: { images: [] }, text: /expected texts/ },
  ])("$name", async ({ name, value, text }) => {
    await expect(openLabels(json(name, value), { kind: "texts" })).rejects.toThrow(text);
  });
});

describe("boxes", () => {
  test("a list for each image, bare or with sizes; parts of data take theirs", async () => {
    const bare = await openLabels(json("b.json", [[[3, 0, 0.25, 0.5, 1]], []]), { kind: "boxes" });
    expect([bare.count, bare.at(0), bare.at(1)]).toEqual([2, [{ class: 3, x1: 0, y1: 0.25, x2: 0.5, y2: 1 }], []]);
    const images = [1, 2, 3, 4].map((n) => ({ width: 100 * n, height: 50, boxes: [[n, 0, 0, 1, 1]] }));
    const sized = await openLabels(json("s.json", { images }), { kind: "boxes" });
    expect(sized.imageSize?.(1)).toEqual([200, 50]);
    const data = samples(await openData(put("x.f32", new Uint8Array(16)), {
      inputs: [{ name: "x", dtype: "float32", shape: ["N"] }],
    }), "first:2"); // biome-ignore format: one thought
    const part = alignLabels(sized, samples(data, "first:1"));
    expect([part.count, part.at(0)[0]!.class, part.imageSize?.(0)]).toEqual([1, 1, [100, 50]]);
  });

  test("COCO's annotations: images by file name, classes by id, pixels to shares, crowds ignored", async () => {
    const coco = {
      images: [{ id: 9, file_name: "b.jpg", width: 10, height: 20 }, { id: 4, file_name: "a.jpg", width: 100, height: 100 }],
      categories: [{ id: 90, name: "late" }, { id: 2, name: "early" }],
      annotations: [
        { image_id: 9, category_id: 90, bbox: [1, 2, 4, 8], iscrowd: 0 },
        { image_id: 4, category_id: 2, bbox: [0, 0, 50, 100], iscrowd: 1 },
      ],
    }; // biome-ignore format: a document
    const labels = await openLabels(json("coco.json", coco), { kind: "boxes" });
    expect(labels.names).toEqual(["early", "late"]);
    expect(labels.at(0)).toEqual([{ class: 0, x1: 0, y1: 0, x2: 0.5, y2: 1, ignore: true }]);
    expect(labels.at(1)).toEqual([{ class: 1, x1: 0.1, y1: 0.1, x2: 0.5, y2: 0.5 }]);
    expect(labels.imageSize?.(1)).toEqual([10, 20]);
  });

  test.each([
    { name: "pixels", value: [[[0, 10, 10, 200, 300]]], text: /in shares of the image, got \[0,10/ },
    { name: "short", value: [[[0, 0, 0, 1]]], text: /in shares of the image/ },
    { name: "fraction", value: [[[0.5, 0, 0, 1, 1]]], text: /in shares of the image/ },
    { name: "inverted", value: [[[0, 0.5, 0, 0.2, 1]]], text: /in shares of the image/ },
    { name: "some", value: { images: [{ boxes: [] }, {}] }, text: /a list of boxes.*image 1/ },
    { name: "nothing", value: { images: [{ label: 1 }] }, text: /expected boxes in JSON/ },
    { name: "stranger", value: { images: [{ id: 1, width: 1, height: 1 }], categories: [], annotations: [{ image_id: 1, category_id: 7, bbox: [0, 0, 1, 1] }] }, text: /a category and a box that are there/ }, // biome-ignore format: a document
    { name: "no size", value: { images: [{ id: 1 }], categories: [], annotations: [] }, text: /width and height/ },
  ])("refused: $name", async ({ name, value, text }) => {
    await expect(openLabels(json(`${name}.json`, value), { kind: "boxes" })).rejects.toThrow(text);
  });
});

describe("sounds", () => {
  /** 16 bits, mono, 8,000 samples a second. */
  const wav = (values: readonly number[]) => {
    const header = Buffer.alloc(44);
    header.write("RIFF");
    header.write("WAVEfmt ", 8);
    header.write("data", 36);
    for (const [at, value, bytes] of [[4, 36 + 2 * values.length, 4], [16, 16, 4], [20, 1, 2], [22, 1, 2], [24, 8000, 4], [34, 16, 2], [40, 2 * values.length, 4]] as const) header.writeUIntLE(value, at, bytes); // biome-ignore format: a header
    return Buffer.concat([header, Buffer.from(Int16Array.from(values, (x) => x * 32_768).buffer)]);
  };

  test("a list of files is data and labels, in its order", async () => {
    put("a.wav", wav([0.5, -0.5]));
    put("b.wav", wav([0.25, 0.125, 0, 0.75]));
    const list = put("list.txt", "b.wav\n./a.wav\n");
    const data = await openData(list, { inputs: [{ name: "x", dtype: "float32", shape: ["N", 2] }] });
    expect((await data.read([0, 1, 2])).x!.numbers()).toEqual([0.25, 0.125, 0, 0.75, 0.5, -0.5]);
    const labels = await openLabels(`${list}?length=2`, { kind: "arrays" });
    expect([labels.count, labels.at(1).numbers()]).toEqual([3, [0, 0.75]]);
    // Another sound behind the same list is other data.
    const before = await dataFingerprint(list);
    put("a.wav", wav([0.5, -0.5, 0.5, -0.5]));
    expect(await dataFingerprint(list)).not.toBe(before);
  });

  test("a list that leaves its folder, or names what is no sound", async () => {
    const inputs = [{ name: "x", dtype: "float32", shape: ["N", 2] }];
    await expect(openData(put("out.txt", "../../a.wav\n"), { inputs })).rejects.toMatchObject({
      code: "import/path-escape",
    });
    await expect(openData(put("notes.txt", "hello\n"), { inputs })).rejects.toMatchObject({ code: "data/unreadable" });
  });
});
