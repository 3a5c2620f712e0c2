/** Packing of 2- and 4-bit integers into bytes, the way ONNX does: the first element in the lowest bits. */
import { byteLength } from "./dtype.ts";

/** Packs integers (already inside the range of the type) into bytes. */
export function packBits(values: ArrayLike<number>, bits: 2 | 4): Uint8Array {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const packed = new Uint8Array(byteLength(bits === 4 ? "uint4" : "uint2", values.length));
  for (let i = 0; i < values.length; i++) {
    const at = Math.floor(i / perByte);
    packed[at] = packed[at]! | ((values[i]! & mask) << (bits * (i % perByte)));
  }
  return packed;
}

/** Unpacks `count` integers. */
export function unpackBits(packed: Uint8Array, bits: 2 | 4, signed: boolean, count: number): Int8Array {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const values = new Int8Array(count);
  for (let i = 0; i < count; i++) {
    const raw = (packed[Math.floor(i / perByte)]! >> (bits * (i % perByte))) & mask;
    values[i] = signed && raw > mask >> 1 ? raw - mask - 1 : raw;
  }
  return values;
}
