/** Records come back bit for bit, and the parts of a checkpoint keep apart. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type CheckpointArray, checkpointUnder, packRecord, unpackRecord } from "./checkpoint.ts";

const array: fc.Arbitrary<CheckpointArray> = fc.oneof(
  fc.float32Array(),
  fc.float64Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.uint8Array(),
);

test("facts and arrays come back as they were, NaN and −0 too", () => {
  const record = fc.record({ facts: fc.jsonValue(), arrays: fc.dictionary(fc.string(), array) });
  fc.assert(
    fc.property(record, fc.nat(7), ({ facts, arrays }, shift) => {
      const packed = packRecord({ facts, arrays });
      // Bytes that were read may stand anywhere in a buffer.
      const moved = new Uint8Array(packed.length + shift);
      moved.set(packed, shift);
      for (const bytes of [moved, Buffer.from(moved.buffer)]) {
        const back = unpackRecord(bytes.subarray(shift));
        expect(JSON.stringify(back.facts)).toBe(JSON.stringify(facts));
        expect(back.arrays).toEqual({ ...arrays });
      }
    }),
  );
});

test("a part sees its own keys only", async () => {
  const kept = new Map<string, Uint8Array>();
  const whole = {
    load: async (key: string) => kept.get(key),
    save: async (key: string, bytes: Uint8Array) => void kept.set(key, bytes),
  };
  const [one, two] = [checkpointUnder(whole, "one"), checkpointUnder(whole, "two")];
  await one.save("layer", Uint8Array.of(1));
  expect(await one.load("layer")).toEqual(Uint8Array.of(1));
  expect(await two.load("layer")).toBeUndefined();
  expect([...kept.keys()]).toEqual(["one/layer"]);
});
