/** An array whose samples (the first axis) are read by number, from a range of bytes or from memory. */
import { byteLength, type DType, type Shape, sizeOf, Tensor } from "../tensor/inner.ts";
import { type ByteSource, checkRange } from "./byte-source.ts";

export interface ArrayRows {
  readonly name: string;
  readonly dtype: DType;
  /** The whole array's shape; samples on the first axis. */
  readonly shape: Shape;
  /** Rows with which a sequence of its own begins. Absent: all are one. */
  readonly starts?: readonly number[];
  /** The rows with these numbers, in this order: shape [indices.length, ...shape.slice(1)]. */
  read(indices: readonly number[]): Promise<Tensor>;
  /**
   * The same array with the samples taken along another axis, where that can be: its `shape` and what is read have that
   * axis in front.
   */
  along?(axis: number): ArrayRows;
}

export interface RawLayout {
  readonly dtype: DType;
  readonly shape: Shape;
  /** Where the elements begin. Default 0. */
  readonly offset?: number;
  /** Default false: little-endian. */
  readonly bigEndian?: boolean;
}

/**
 * Rows of plain elements in C order; neighbours are read in one piece. A scalar is one row without axes. Throws
 * `data/unreadable` when bytes lack.
 */
export function rowsOfBytes(source: ByteSource, layout: RawLayout): ArrayRows {
  const { dtype, offset = 0, bigEndian = false } = layout;
  const shape = layout.shape.length === 0 ? [1] : layout.shape;
  const rowShape = shape.slice(1);
  const rowBytes = byteLength(dtype, sizeOf(rowShape));
  checkRange(source.name, source.size, offset, rowBytes * shape[0]!);
  return {
    name: source.name,
    dtype,
    shape,
    along: (axis) => (axis === 0 ? rowsOfBytes(source, layout) : rowsAlong(source, layout, axis)),
    async read(indices) {
      const bytes = new Uint8Array(rowBytes * indices.length);
      for (const [at, first, length] of runs(indices)) {
        bytes.set(await source.read(offset + first * rowBytes, length * rowBytes), at * rowBytes);
      }
      if (bigEndian) swapBytes(bytes, dtype);
      return Tensor.fromBytes(dtype, [indices.length, ...rowShape], bytes);
    },
  };
}

/** Rows on an axis behind the first: each is one piece for every place on the axes before it. */
function rowsAlong(source: ByteSource, layout: RawLayout, axis: number): ArrayRows {
  const { dtype, shape, offset = 0, bigEndian = false } = layout;
  const [before, length, after] = [shape.slice(0, axis), shape[axis]!, shape.slice(axis + 1)];
  const outer = sizeOf(before);
  const piece = byteLength(dtype, sizeOf(after));
  return {
    name: source.name,
    dtype,
    shape: [length, ...before, ...after],
    async read(indices) {
      const bytes = new Uint8Array(indices.length * outer * piece);
      for (let o = 0; o < outer; o++) {
        for (const [at, first, count] of runs(indices)) {
          const read = await source.read(offset + (o * length + first) * piece, count * piece);
          for (let i = 0; i < count; i++) {
            bytes.set(read.subarray(i * piece, (i + 1) * piece), ((at + i) * outer + o) * piece);
          }
        }
      }
      if (bigEndian) swapBytes(bytes, dtype);
      return Tensor.fromBytes(dtype, [indices.length, ...before, ...after], bytes);
    },
  };
}

/** Rows of a tensor in memory. */
export function rowsOfTensor(tensor: Tensor, name: string): ArrayRows {
  return rowsOfBytes(
    { name, size: tensor.byteLength, read: async (offset, length) => tensor.bytes.subarray(offset, offset + length) },
    { dtype: tensor.dtype, shape: tensor.shape },
  );
}

/** Runs of neighbours in a list of numbers: [place in the list, first number, length]. */
function* runs(indices: readonly number[]): Iterable<readonly [number, number, number]> {
  for (let at = 0; at < indices.length; ) {
    let length = 1;
    while (at + length < indices.length && indices[at + length] === indices[at]! + length) length++;
    yield [at, indices[at]!, length];
    at += length;
  }
}

/** Turns big-endian elements into little-endian ones, in place. */
export function swapBytes(bytes: Uint8Array, dtype: DType): void {
  const width = byteLength(dtype, 1) / (dtype.startsWith("complex") ? 2 : 1);
  if (width === 1) return;
  for (let i = 0; i + width <= bytes.length; i += width) bytes.subarray(i, i + width).reverse();
}
