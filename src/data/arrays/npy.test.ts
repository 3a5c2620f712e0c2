/** .npy and .npz against NumPy, and damaged files. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AvocetError } from "../../base/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { bytesSource } from "../byte-source.ts";
import { openNpy, readNpy, writeNpy } from "./npy.ts";
import { openNpz, readNpz, writeNpz } from "./npz.ts";

interface Golden {
  npy: { name: string; data: string; shape: number[]; values: number[] }[];
  refused: Record<"object" | "structured" | "text", string>;
  stored: string;
  deflated: string;
}
/** Made by tools/numpy_goldens.py. */
const golden: Golden = JSON.parse(readFileSync(new URL("golden/arrays.json", import.meta.url), "utf8"));
const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, "base64"));

describe(".npy as NumPy writes it", () => {
  test.each(golden.npy.map((entry) => [entry.name, entry] as const))("%s is read", async (_name, entry) => {
    const tensor = await readNpy(bytesOf(entry.data));
    expect(tensor.shape).toEqual(entry.shape);
    expect(tensor.numbers()).toEqual(entry.values);
  });

  test.each(golden.npy.filter(({ shape }) => shape[0] === 3).map((entry) => [entry.name, entry] as const))(
    "rows of %s in any order",
    async (_name, { data, values }) => {
      const rows = await openNpy(bytesSource(bytesOf(data)));
      const read = await rows.read([2, 0, 1, 1]);
      const row = (i: number) => values.slice(i * 8, i * 8 + 8);
      expect(read.shape).toEqual([4, 2, 4]);
      expect(read.numbers()).toEqual([2, 0, 1, 1].flatMap(row));
    },
  );

  test.each(
    golden.npy
      .filter(({ name }) => / C$/.test(name) && !name.startsWith(">"))
      .map((entry) => [entry.name, entry] as const),
  )("%s is written as the same bytes", async (_name, { data }) => {
    expect(writeNpy(await readNpy(bytesOf(data)))).toEqual(bytesOf(data));
  });

  test.each(Object.entries(golden.refused))("%s arrays are refused", async (_kind, data) => {
    await expect(readNpy(bytesOf(data))).rejects.toMatchObject({ code: "data/wrong-dtype" });
  });

  test("a huge file is read by range", async () => {
    // 3 GiB of float32 rows that exist only where they are looked at.
    const header = writeNpy(Tensor.float32([0, 1024], [])).slice();
    const text = new TextDecoder("latin1")
      .decode(header)
      .replace("(0, 1024), }", "(786432, 1024), }")
      .replace("     \n", "\n");
    const start = Uint8Array.from(text, (c) => c.charCodeAt(0));
    const size = start.length + 786_432 * 4096;
    let most = 0;
    const rows = await openNpy({
      name: "huge.npy",
      size,
      read: async (offset, length) => {
        most = Math.max(most, length);
        return offset < start.length
          ? start.subarray(offset, offset + length)
          : new Uint8Array(length).fill(offset > 3e9 ? 64 : 0);
      },
    });
    const read = await rows.read([0, 786_431]);
    expect([read.numbers()[0], read.numbers()[1024]]).toEqual([0, 3.0039215087890625]);
    expect(most).toBe(4096);
  });

  test("damaged files give errors, never arrays of another size", async () => {
    const sound = writeNpy(
      Tensor.float32(
        [4, 3],
        Float32Array.from({ length: 12 }, (_, i) => i),
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(sound.length - 1), fc.nat(255), fc.boolean(), async (at, value, cut) => {
        const bytes = cut ? sound.slice(0, at) : sound.slice();
        if (!cut) bytes[at] = value;
        try {
          const tensor = await readNpy(bytes);
          expect(tensor.byteLength).toBeLessThanOrEqual(sound.length);
        } catch (error) {
          expect(AvocetError.is(error), String(error)).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe(".npz as NumPy writes it", () => {
  test.each(["stored", "deflated"] as const)("%s", async (kind) => {
    const arrays = await readNpz(bytesOf(golden[kind]));
    expect(Object.keys(arrays)).toEqual(["image", "mask"]);
    expect(arrays.image!.numbers()).toEqual(Array.from({ length: 24 }, (_, i) => i));
    expect(arrays.mask!.numbers()).toEqual([1, 0, 0, 1]);
    const open = await openNpz(bytesSource(bytesOf(golden[kind])));
    expect((await open.get("image")!.read([1])).numbers()[0]).toBe(12);
  });

  test.each([false, true])("round trip, compress %s", async (compress) => {
    const arrays = { a: Tensor.float32([2, 2], [1, 2, 3, 4]), b: Tensor.int64([3], [1, -2, 3]) };
    const again = await readNpz(writeNpz(arrays, { compress }));
    expect(again.a!.numbers()).toEqual([1, 2, 3, 4]);
    expect(again.b!.numbers()).toEqual([1, -2, 3]);
    expect(writeNpz(arrays, { compress })).toEqual(writeNpz(arrays, { compress }));
  });

  test("damaged archives give errors, never a crash", async () => {
    for (const kind of ["stored", "deflated"] as const) {
      const sound = bytesOf(golden[kind]);
      await fc.assert(
        fc.asyncProperty(fc.nat(sound.length - 1), fc.nat(255), fc.boolean(), async (at, value, cut) => {
          const bytes = cut ? sound.slice(0, at) : sound.slice();
          if (!cut) bytes[at] = value;
          await readNpz(bytes).catch((error) => expect(AvocetError.is(error), String(error.stack)).toBe(true));
        }),
        { numRuns: 300 },
      );
    }
  });
});
