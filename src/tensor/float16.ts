/** Conversions between float32 and the bit patterns of float16 and bfloat16, rounding half to even. */

const scratch = new DataView(new ArrayBuffer(4));

/** The float16 bit pattern nearest to x (ties to even; too large becomes infinity). */
export function toFloat16Bits(x: number): number {
  scratch.setFloat32(0, x);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa ? 0x200 | (mantissa >>> 13) : 0);
  const shifted = exponent - 112;
  if (shifted >= 31) return sign | 0x7c00;
  if (shifted > 0) return sign | roundBits((shifted << 23) | mantissa, 13);
  if (shifted < -10) return sign;
  // A subnormal: the hidden bit becomes explicit and moves right.
  return sign | roundBits(mantissa | 0x800000, 14 - shifted);
}

/** The value of a float16 bit pattern. */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** The bfloat16 bit pattern nearest to x (ties to even). */
export function toBfloat16Bits(x: number): number {
  scratch.setFloat32(0, x);
  const bits = scratch.getUint32(0);
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return roundBits(bits, 16);
}

/** The value of a bfloat16 bit pattern. */
export function fromBfloat16Bits(bits: number): number {
  scratch.setUint32(0, (bits & 0xffff) << 16);
  return scratch.getFloat32(0);
}

/** bits / 2^drop, rounded half to even. */
function roundBits(bits: number, drop: number): number {
  const kept = bits >>> drop;
  const rest = bits & ((1 << drop) - 1);
  const half = 1 << (drop - 1);
  return rest > half || (rest === half && kept & 1) ? kept + 1 : kept;
}
