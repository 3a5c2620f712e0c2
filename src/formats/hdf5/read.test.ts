/** HDF5 as h5py writes it, in its oldest and its newest form (tools/hdf5_goldens.py), and what is refused. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readHdf5 } from "./read.ts";

const bytesOf = (name: string) =>
  new Uint8Array(gunzipSync(readFileSync(join(import.meta.dirname, `golden/${name}.h5.gz`))));
const value = (count: number) => Array.from({ length: count }, (_, i) => ((i * 37) % 101) - 50);

describe.each(["earliest", "latest"])("the %s form", (form) => {
  const root = readHdf5(bytesOf(form), form);

  test("has tensors of every type", () => {
    for (const dtype of ["float32", "float64", "float16", "int8", "int16", "int32", "int64"]) {
      const tensor = root.get(`types/${dtype}`)!.tensor()!;
      expect([tensor.dtype, tensor.shape, tensor.numbers()]).toEqual([dtype, [3, 5], value(15)]);
    }
    expect(root.get("types/uint8")!.tensor()!.numbers()).toEqual(value(15).map((x) => x & 255));
    expect(root.get("bool")!.tensor()!.numbers()).toEqual([1, 0, 1]);
    expect(root.get("scalar")!.tensor()!.numbers()).toEqual([2.5]);
    expect(root.get("empty")!.tensor()!.shape).toEqual([0, 4]);
  });

  test("has texts of any length and lists of them; numbers are left out", () => {
    expect([...root.texts()].sort()).toEqual([
      ["fixed", ["fixed"]],
      ["list", ["first", "second one"]],
      ["text", ["a text of any length, β"]],
    ]);
  });

  test("says what is a group, and what is not there", () => {
    expect(root.get("types")!.tensor()).toBeUndefined();
    expect(root.get("types")!.names).toContain("int8");
    expect([root.get("nothing"), root.get("types/nothing"), root.get("scalar")!.names]).toEqual([
      undefined,
      undefined,
      [],
    ]);
  });
});

test("groups of hundreds of members, and chunks behind deflate, shuffle and check sums", () => {
  const root = readHdf5(bytesOf("earliest"), "earliest");
  const many = root.get("many")!;
  expect(many.names.length).toBe(300);
  for (const i of [0, 17, 299]) expect(many.get(String(i))!.tensor()!.numbers()).toEqual([i]);
  const chunks = root.get("chunks")!.tensor()!;
  expect([chunks.shape, chunks.numbers()]).toEqual([[37, 11, 3], value(37 * 11 * 3)]);
  expect(root.get("plain chunks")!.tensor()!.numbers()).toEqual(value(30));
});
