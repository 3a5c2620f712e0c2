/** Safetensors against a file that the format's own package wrote, and against files that lie. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { AvocetError, Random } from "../../base/inner.ts";

import { bytesSource } from "../byte-source.ts";
import { isSafetensors, readSafetensors, readSafetensorsIndex } from "./read.ts";

const folder = join(import.meta.dirname, "golden");
const bytes = new Uint8Array(readFileSync(join(folder, "types.safetensors")));
/** Made by tools/safetensors_goldens.py. */
const golden = JSON.parse(readFileSync(join(folder, "types.json"), "utf8")) as {
  readonly tensors: Readonly<Record<string, { shape: number[]; values: number[] }>>;
};

/** A file with this header, and so many bytes of data. */
function fileOf(header: unknown, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  for (let i = 0; i < dataBytes; i++) file[8 + json.length + i] = i + 1;
  return file;
}

const read = (file: Uint8Array) => readSafetensors(bytesSource("w.safetensors", file));

test("every element type of PyTorch has its numbers and its shape", () => {
  expect(isSafetensors(bytes)).toBe(true);
  const { tensors, metadata } = read(bytes);
  expect([...metadata]).toEqual([["format", "pt"]]);
  expect([...tensors.keys()].sort()).toEqual(Object.keys(golden.tensors).sort());
  for (const [name, { shape, values }] of Object.entries(golden.tensors)) {
    const tensor = tensors.get(name)!;
    expect(tensor.shape, name).toEqual(shape);
    expect(tensor.numbers(), name).toEqual(values);
  }
});

test("four-bit floats share bytes", () => {
  const { tensors } = read(fileOf({ w: { dtype: "F4", shape: [2, 2], data_offsets: [0, 2] } }, 2));
  expect(tensors.get("w")!.dtype).toBe("float4e2m1");
  expect([...tensors.get("w")!.bytes]).toEqual([1, 2]);
});

test("elements are read when they are looked at", () => {
  let reads = 0;
  const source = bytesSource("w.safetensors", bytes);
  const read = (offset: number, length: number) => {
    reads++;
    return source.read(offset, length);
  };
  const { tensors } = readSafetensors({ ...source, read });
  const before = reads;
  tensors.get("float32")!.floats();
  expect([before, reads]).toEqual([2, 3]);
});

describe("a file that lies is refused", () => {
  const f32 = (from: number, to: number, shape: unknown = [1]) => ({ dtype: "F32", shape, data_offsets: [from, to] });
  test.each<[string, Uint8Array, string, RegExp]>([
    ["too short for a length", new Uint8Array(5), "import/truncated", /expected 8 bytes/],
    ["a header beyond the file", fileOf({}).subarray(0, 9), "import/truncated", /expected 10 bytes, the file has 9/],
    ["a header of 2⁶³ bytes", new Uint8Array([0, 0, 0, 0, 0, 0, 0, 128, 123]), "import/too-large", /header/],
    ["no JSON", fileOf("{x"), "import/malformed", /JSON/],
    ["a list", fileOf("[]"), "import/malformed", /object/],
    ["a name twice", fileOf('{"w":1,"w":2}'), "import/malformed", /twice/],
    ["an unknown type", fileOf({ w: { ...f32(0, 4), dtype: "F6_E2M3" } }, 4), "import/unsupported-type", /F6_E2M3/],
    [
      "a type from the prototype",
      fileOf({ w: { ...f32(0, 4), dtype: "toString" } }, 4),
      "import/unsupported-type",
      /./,
    ],
    ["data cut off", fileOf({ w: f32(0, 8, [2]) }, 4), "import/truncated", /the file has/],
    ["a length that is no shape", fileOf({ w: f32(0, 4, [1.5]) }, 4), "import/malformed", /shape/],
    ["places that do not fit the shape", fileOf({ w: f32(0, 8) }, 8), "import/malformed", /4 bytes apart/],
    ["an absurd shape", fileOf({ w: f32(0, 4, [2 ** 40, 2 ** 40]) }, 4), "import/malformed", /bytes apart/],
    ["two tensors in one place", fileOf({ w: f32(0, 4), v: f32(0, 4) }, 4), "import/malformed", /one behind the other/],
    ["a hole", fileOf({ w: f32(4, 8) }, 8), "import/malformed", /one behind the other/],
    ["bytes behind the last tensor", fileOf({ w: f32(0, 4) }, 9), "import/malformed", /end at byte/],
    ["metadata of numbers", fileOf({ __metadata__: { a: 1 } }), "import/malformed", /__metadata__/],
  ])("%s", (_, file, code, problem) => {
    expect(() => read(file)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(problem) }));
  });

  test("whatever is changed in it, nothing but an AvocetError comes out", () => {
    const random = new Random(5);
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      const mutant = bytes.slice(0, random.integer(4) === 0 ? random.integer(bytes.length) : bytes.length);
      for (let n = 1 + random.integer(4); n > 0 && mutant.length > 0; n--) {
        mutant[random.integer(Math.min(mutant.length, 1400))] = random.integer(256);
      }
      try {
        for (const tensor of read(mutant).tensors.values()) tensor.bytes;
      } catch (error) {
        expect(AvocetError.is(error), String(error)).toBe(true);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});

describe("an index", () => {
  const parts: Record<string, Uint8Array> = {
    "a.safetensors": fileOf({ w: { dtype: "U8", shape: [1], data_offsets: [0, 1] } }, 1),
    "b.safetensors": fileOf({ v: { dtype: "U8", shape: [2], data_offsets: [0, 2] } }, 2),
  };
  const open = (name: string) => bytesSource(name, parts[name] ?? new Uint8Array());
  const indexed = (index: unknown) =>
    readSafetensorsIndex(new TextEncoder().encode(JSON.stringify(index)), "index.json", open);

  test("names the file of each tensor", () => {
    const { tensors } = indexed({ metadata: {}, weight_map: { v: "b.safetensors", w: "a.safetensors" } });
    expect([...tensors].map(([name, tensor]) => [name, ...tensor.numbers()])).toEqual([
      ["v", 1, 2],
      ["w", 1],
    ]);
  });

  test.each([
    ["without a map", {}, /weight_map/],
    ["null", null, /weight_map/],
    ["with a tensor that the file has not", { weight_map: { v: "a.safetensors" } }, /nothing there/],
    ["with a number for a file", { weight_map: { v: 7 } }, /got none/],
  ])("%s is refused", (_, index, problem) => {
    expect(() => indexed(index)).toThrow(
      expect.objectContaining({ code: "import/malformed", message: expect.stringMatching(problem) }),
    );
  });
});
