/** Repeated varints of a tensor (int32_data, int64_data, uint64_data): counting them, and turning them into data. */
import { arrayKind, type DType, type TensorData } from "../../tensor/inner.ts";

/** How many varints lie in these bytes; NaN when the last one is cut or one is longer than ten bytes. */
export function countVarints(bytes: Uint8Array): number {
  let count = 0;
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    length++;
    if (bytes[i]! < 0x80) {
      count++;
      length = 0;
    } else if (length === 10) return Number.NaN;
  }
  return length === 0 ? count : Number.NaN;
}

/** `count` varints as elements: the low bits of each, as C++ casts them. Half floats are bit patterns already. */
export function dataOfVarints(dtype: DType, bytes: Uint8Array, count: number): TensorData {
  const data = new (arrayKind(dtype))(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    let low = 0;
    let high = 0;
    let shift = 0;
    for (let byte = 0x80; byte >= 0x80; shift += 7) {
      byte = bytes[at++]!;
      const part = byte & 0x7f;
      if (shift < 28) low |= part << shift;
      else if (shift === 28) {
        low |= part << 28;
        high |= part >>> 4;
      } else high |= part << (shift - 32);
    }
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
      data[i] = (BigInt(high) << 32n) | BigInt(low >>> 0);
    } else data[i] = low;
  }
  return data;
}
