/** The data of a tensor between braces: elements to host data and back. Half and 8-bit floats are bit patterns. */
import {
  arrayKind,
  type DType,
  dtypes,
  isShortFloat,
  packBits,
  type Shape,
  sizeOf,
  Tensor,
  toBfloat16Bits,
  toFloat8Bits,
  toFloat16Bits,
  unpackBits,
} from "../../tensor/inner.ts";
import type { NumberToken, Scanner } from "./scanner.ts";
import { quote } from "./words.ts";

/** Reads `{1, 2, …}` after the opening brace was taken, as a tensor of this type. */
export function readElements(scanner: Scanner, dtype: DType, shape: Shape): Tensor {
  const start = scanner.offset;
  const elements: (number | bigint | string)[] = [];
  if (!scanner.take("}")) {
    do elements.push(readElement(scanner, dtype));
    while (scanner.take(","));
    scanner.expect("}");
  }
  const expected = sizeOf(shape) * (dtypes[dtype].kind === "complex" ? 2 : 1);
  if (elements.length !== expected) {
    throw scanner.error(`expected ${expected} elements for ${spelled(dtype, shape)}, got ${elements.length}`, start);
  }
  return Tensor.of(dtype, shape, hostData(dtype, elements));
}

function hostData(dtype: DType, elements: readonly (number | bigint | string)[]): Tensor["data"] {
  if (dtype === "string") return elements as readonly string[];
  if (dtype === "int64") return BigInt64Array.from(elements as readonly bigint[]);
  if (dtype === "uint64") return BigUint64Array.from(elements as readonly bigint[]);
  const numbers = elements as readonly number[];
  const { bits } = dtypes[dtype];
  if (bits === 2 || bits === 4) return packBits(numbers, bits);
  const data = new (arrayKind(dtype))(numbers.length);
  (data as Float64Array).set(numbers);
  return data;
}

function readElement(scanner: Scanner, dtype: DType): number | bigint | string {
  if (dtype === "string") return scanner.string();
  const { kind, bits } = dtypes[dtype];
  const start = scanner.offset;
  const token = scanner.number();
  if (!token) throw scanner.fail(`a number of ${dtype}`);
  if (kind === "complex" || dtype === "float64")
    return readFloat(scanner, token, start, bits === 64 && kind !== "float");
  if (dtype === "float32") return readFloat(scanner, token, start, true);
  if (kind === "float") {
    // The official text writes the bits of a short float as a whole number; a number with a point is its value.
    if (!token.whole && dtype === "float16") return toFloat16Bits(numberOf(token.text));
    if (!token.whole && dtype === "bfloat16") return toBfloat16Bits(numberOf(token.text));
    if (!token.whole && isShortFloat(dtype)) return toFloat8Bits(dtype, numberOf(token.text));
    return readWhole(scanner, token, start, `the bits of a ${dtype}`, 0n, (1n << BigInt(bits)) - 1n);
  }
  if (kind === "bool") return readWhole(scanner, token, start, "0 or 1", 0n, 1n);
  const low = kind === "int" ? -(1n << BigInt(bits - 1)) : 0n;
  const high = kind === "int" ? (1n << BigInt(bits - 1)) - 1n : (1n << BigInt(bits)) - 1n;
  const value = readWhole(scanner, token, start, `a whole number of ${dtype}`, low, high, bits === 64);
  return value;
}

/** A float; `single` rounds it to float32 and refuses what does not fit. */
export function readFloat(scanner: Scanner, token: NumberToken, start: number, single: boolean): number {
  const exact = numberOf(token.text);
  const value = single ? Math.fround(exact) : exact;
  if (!Number.isFinite(value) && /[0-9]/.test(token.text)) {
    throw scanner.fail(`a number that ${single ? "float32" : "float64"} can hold`, undefined, start);
  }
  return value;
}

function readWhole(
  scanner: Scanner,
  token: NumberToken,
  start: number,
  what: string,
  low: bigint,
  high: bigint,
  wide = false,
): number | bigint {
  if (!token.whole) throw scanner.fail(what, undefined, start);
  const value = BigInt(token.text);
  if (value < low || value > high) throw scanner.fail(`${what} (${low} to ${high})`, undefined, start);
  return wide ? value : Number(value);
}

/** nan and inf in any spelling, or an ordinary number. */
function numberOf(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  if (/nan$/i.test(text)) return Number.NaN;
  return /^-?inf/i.test(text) ? sign * Number.POSITIVE_INFINITY : Number(text);
}

/** The elements of a tensor between braces. */
export function printElements(tensor: Tensor): string {
  return `{${elementTexts(tensor).join(", ")}}`;
}

function elementTexts(tensor: Tensor): string[] {
  const { data, dtype, size } = tensor;
  if (!ArrayBuffer.isView(data)) return data.map(quote);
  const { bits, kind } = dtypes[dtype];
  if (bits === 2 || bits === 4) return Array.from(unpackBits(data as Uint8Array, bits, kind === "int", size), String);
  if (dtype === "float32" || dtype === "complex64") return Array.from(data as Float32Array, printFloat32);
  if (dtype === "float64" || dtype === "complex128") return Array.from(data as Float64Array, printFloat64);
  return Array.from(data as Int32Array, String);
}

/** The shortest decimal that float32 reads back as the same number. */
export function printFloat32(x: number): string {
  const single = Math.fround(x);
  if (!Number.isFinite(single) || single === 0) return printFloat64(single);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(single.toPrecision(digits));
    if (Math.fround(short) === single) return printFloat64(short);
  }
  return printFloat64(Number(single.toPrecision(9)));
}

function printFloat64(x: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x < 0 ? "-inf" : "inf";
  return Object.is(x, -0) ? "-0" : String(x);
}

/** "float[2,3]" for messages and declarations. */
export function spelled(dtype: DType, shape: Shape): string {
  return shape.length === 0 ? dtypes[dtype].text : `${dtypes[dtype].text}[${shape.join(",")}]`;
}
