/** A tensor on the host: element type, shape and data; the data of a large file may be loaded when first needed. */
import { AvocetError } from "../base/inner.ts";
import { arrayKind, byteLength, type DType, dtypes, type TensorData } from "./dtype.ts";
import { fromFloat8Bits, isShortFloat } from "./float8.ts";
import { fromBfloat16Bits, fromFloat16Bits } from "./float16.ts";
import { countLoaded } from "./loaded.ts";
import { unpackBits } from "./packing.ts";

export type Shape = readonly number[];

/** The number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

/** An array of V8 holds less than 2²⁷ numbers. */
const mostNumbers = 1e8;

export class Tensor {
  readonly dtype: DType;
  readonly shape: Shape;
  #data: TensorData | null;
  #load: (() => TensorData) | null;
  #uncount: (() => void) | null = null;

  private constructor(dtype: DType, shape: Shape, data: TensorData | null, load: (() => TensorData) | null) {
    if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
      throw new AvocetError("tensor/wrong-size", `expected whole, non-negative lengths, got [${shape.join(",")}]`, {
        at: `${dtype}[${shape.join(",")}]`,
      });
    }
    this.dtype = dtype;
    this.shape = shape;
    this.#data = data;
    this.#load = load;
  }

  /** Wraps data without copying. Throws `tensor/wrong-size` when data and shape disagree. */
  static of(dtype: DType, shape: Shape, data: TensorData): Tensor {
    const expected = hostLength(dtype, sizeOf(shape));
    if (data.length !== expected) {
      throw new AvocetError(
        "tensor/wrong-size",
        `expected ${expected} elements for ${dtype}[${shape.join(",")}], got ${data.length}`,
        { at: `${dtype}[${shape.join(",")}]` },
      );
    }
    if (dtype !== "string" && !(data instanceof arrayKind(dtype))) {
      throw new AvocetError(
        "tensor/wrong-dtype",
        `expected ${arrayKind(dtype).name} for ${dtype}, got ${data.constructor.name}`,
        { at: `${dtype}[${shape.join(",")}]` },
      );
    }
    return new Tensor(dtype, shape, data, null);
  }

  /**
   * A tensor whose data is read when it is asked for. It may be dropped again, with `release` or to make room for others, so that
   * `load` must give the same whenever it is called, and nobody may write into the data.
   */
  static lazy(dtype: DType, shape: Shape, load: () => TensorData): Tensor {
    return new Tensor(dtype, shape, null, load);
  }

  /** Interprets little-endian bytes; a view where the alignment allows it, else a copy. */
  static fromBytes(dtype: DType, shape: Shape, bytes: Uint8Array): Tensor {
    return Tensor.of(dtype, shape, dataOfBytes(dtype, sizeOf(shape), bytes));
  }

  static float32(shape: Shape, values: Float32Array | readonly number[]): Tensor {
    return Tensor.of("float32", shape, values instanceof Float32Array ? values : Float32Array.from(values));
  }

  static int64(shape: Shape, values: readonly (number | bigint)[]): Tensor {
    return Tensor.of("int64", shape, BigInt64Array.from(values, BigInt));
  }

  static scalar(value: number, dtype: "float32" | "int64" = "float32"): Tensor {
    return dtype === "float32" ? Tensor.float32([], [value]) : Tensor.int64([], [value]);
  }

  /** "float32[2,3]", for messages. */
  get #spelled(): string {
    return `${this.dtype}[${this.shape.join(",")}]`;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /** Bytes in raw_data form, without loading. Zero for strings. */
  get byteLength(): number {
    return byteLength(this.dtype, this.size);
  }

  /** The elements in their host form (see `TensorData`); loads them if need be. */
  get data(): TensorData {
    if (this.#data) return this.#data;
    const data = this.#load!();
    if (data.length !== hostLength(this.dtype, this.size)) {
      throw new AvocetError(
        "tensor/wrong-size",
        `expected ${hostLength(this.dtype, this.size)} elements, got ${data.length}`,
        { at: this.#spelled },
      );
    }
    this.#data = data;
    this.#uncount = countLoaded(this);
    return data;
  }

  /** Forgets loaded data that can be loaded again. */
  release(): void {
    if (!this.#load) return;
    this.#uncount?.();
    this.#uncount = null;
    this.#data = null;
  }

  /** The elements as little-endian bytes (ONNX raw_data); a view, not a copy. */
  get bytes(): Uint8Array {
    const { data } = this;
    if (!ArrayBuffer.isView(data))
      throw new AvocetError("tensor/wrong-dtype", "expected a numeric tensor, got strings", { at: this.#spelled });
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }

  /** The elements as float32: the data itself if it is float32 already, else converted. */
  floats(): Float32Array {
    const { data } = this;
    if (data instanceof Float32Array && this.dtype === "float32") return data;
    if (this.dtype === "float16") return Float32Array.from(data as Uint16Array, fromFloat16Bits);
    if (this.dtype === "bfloat16") return Float32Array.from(data as Uint16Array, fromBfloat16Bits);
    return Float32Array.from(this.numbers());
  }

  /**
   * The elements as JavaScript numbers, whatever the numeric type (int64 beyond 2⁵³ loses precision). Throws `tensor/wrong-size` for more
   * than an array has room for.
   */
  numbers(): number[] {
    const { dtype, size } = this;
    if (size > mostNumbers) {
      throw new AvocetError("tensor/wrong-size", `expected at most ${mostNumbers} elements, got ${size}`, {
        at: this.#spelled,
        hint: "read `data` or `bytes`, which are not copied",
      });
    }
    const { data } = this;
    if (!ArrayBuffer.isView(data))
      throw new AvocetError("tensor/wrong-dtype", "expected a numeric tensor, got strings", { at: this.#spelled });
    if (dtype === "float16") return Array.from(data as Uint16Array, fromFloat16Bits);
    if (dtype === "bfloat16") return Array.from(data as Uint16Array, fromBfloat16Bits);
    const { bits, kind } = dtypes[dtype];
    if (kind === "complex")
      throw new AvocetError("tensor/wrong-dtype", `expected a real number type, got ${dtype}`, { at: this.#spelled });
    const elements = bits < 8 ? unpackBits(data as Uint8Array, bits as 2 | 4, kind === "int", size) : data;
    if (isShortFloat(dtype)) return Array.from(elements as Uint8Array, (code) => fromFloat8Bits(dtype, code));
    if (bits < 8) return Array.from(elements as Int8Array);
    return Array.from(data as Float32Array, Number);
  }

  /** The same data under another shape of equal size; data that is not loaded yet stays so. */
  reshape(shape: Shape): Tensor {
    if (sizeOf(shape) !== this.size) {
      throw new AvocetError(
        "tensor/wrong-size",
        `expected a shape of ${this.size} elements, got [${shape.join(",")}]`,
        { at: this.#spelled },
      );
    }
    return this.#load ? Tensor.lazy(this.dtype, shape, () => this.data) : Tensor.of(this.dtype, shape, this.data);
  }
}

/** Host array length of `count` elements: packed types share bytes, complex numbers take two. */
function hostLength(dtype: DType, count: number): number {
  const { bits, kind } = dtypes[dtype];
  if (kind === "complex") return count * 2;
  return bits > 0 && bits < 8 ? byteLength(dtype, count) : count;
}

function dataOfBytes(dtype: DType, count: number, bytes: Uint8Array): TensorData {
  const expected = byteLength(dtype, count);
  if (bytes.length !== expected) {
    throw new AvocetError(
      "tensor/wrong-size",
      `expected ${expected} bytes for ${count} × ${dtype}, got ${bytes.length}`,
      { at: dtype },
    );
  }
  const Kind = arrayKind(dtype);
  const aligned = bytes.byteOffset % Kind.BYTES_PER_ELEMENT === 0;
  // Not slice(): that of Node's Buffer is a view as well.
  const source = aligned ? bytes : new Uint8Array(bytes);
  return new Kind(source.buffer, source.byteOffset, hostLength(dtype, count));
}
