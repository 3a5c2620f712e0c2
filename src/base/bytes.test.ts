/** Bytes of strangers: what is read, and that nothing beyond the end is. */
import { expect, test } from "vitest";
import { ByteReader } from "./bytes.ts";
import { AvocetError } from "./errors.ts";

const bytes = Uint8Array.of(1, 2, 3, 0xff, 0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0, 0, 0x80, 65, 66);

test("numbers are little-endian, text is a byte a character", () => {
  // A view into a larger buffer: offsets must be those of the view.
  const reader = new ByteReader(new Uint8Array([9, ...bytes]).subarray(1), "f");
  expect([reader.u8(), reader.u16(), reader.u32()]).toEqual([1, 0x302, 0xffffffff]);
  expect(reader.u64()).toBe(0x8000000000000004n);
  expect([reader.offset, reader.remaining]).toEqual([15, 2]);
  expect(reader.ascii(2)).toBe("AB");
});

test("a slice is a view, skip and seek move", () => {
  const reader = new ByteReader(bytes, "f");
  reader.skip(2);
  expect(reader.take(2).buffer).toBe(bytes.buffer);
  reader.seek(0);
  expect(reader.u8()).toBe(1);
  expect(new ByteReader(new Uint8Array(300_000).fill(97), "f").ascii(300_000)).toHaveLength(300_000);
});

test.each([
  ["one byte too many", (reader: ByteReader) => reader.take(bytes.length + 1)],
  ["a negative length", (reader: ByteReader) => reader.take(-1)],
  ["a length that is no number", (reader: ByteReader) => reader.take(Number.NaN)],
  ["an endless length", (reader: ByteReader) => reader.take(2 ** 60)],
  ["half a number", (reader: ByteReader) => [reader.skip(14), reader.u32()]],
  ["a place behind the end", (reader: ByteReader) => reader.seek(18)],
])("%s is refused with the name of the file", (_, read) => {
  const reader = new ByteReader(bytes, "model.onnx");
  expect(() => read(reader)).toThrow(AvocetError);
  try {
    read(new ByteReader(bytes, "model.onnx"));
  } catch (error) {
    expect((error as AvocetError).code).toBe("import/truncated");
    expect((error as AvocetError).detail.at).toBe("model.onnx");
  }
});
