/** A matrix in blocks as ONNX Runtime's operators for narrow weights read it: integers of 2, 4 or 8 bits packed in rows of bytes. */
import type { Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { nearestPieces } from "../grids/fake-quantize.ts";
import { codecOf } from "../grids/grid.ts";

export interface PackedMatrix {
  readonly bits: number;
  /** Neighbours in a row that share a scale. */
  readonly block: number;
  /** Rows of integers, counted from the lowest number of the grid. */
  readonly bytes: Uint8Array;
  /** [rows, length / block]. */
  readonly scales: Tensor;
  /** As many bits each, [rows, bytes]. Absent where all are in the middle of the grid, as the operators have them by default. */
  readonly zeroPoints?: Tensor;
}

/**
 * A matrix whose blocks lie along `axis`, which is that of a row's positions: of a product [inputs, outputs] axis 0, so that a row is an
 * output; of a table [rows, width] axis 1.
 */
export function packedMatrix(tensor: Tensor, encoding: Encoding, axis: 0 | 1): PackedMatrix {
  const { grid, granularity, scale, offset } = encoding;
  const bits = codecOf(grid).bits;
  const block = granularity.kind === "block" ? granularity.size : 1;
  const [first, second] = tensor.shape as [number, number];
  const [rows, length] = axis === 0 ? [second, first] : [first, second];
  const blocks = length / block;
  // What a matrix with one more dimension would need is refused before.
  const rowOf = (i: number) => (axis === 0 ? i % rows : Math.floor(i / length));
  const placeOf = (i: number) => (axis === 0 ? Math.floor(i / rows) : i % length);
  const integers = new PackedRows(rows, length, bits);
  nearestPieces(tensor, encoding, "half-even", (piece, start, slice, step) => {
    for (let k = 0, of = slice; k < piece.length; k++, of += step) {
      // AIMET's integers count from the lowest number on, as those of these operators do.
      integers.put(rowOf(start + k), placeOf(start + k), piece[k]! - offset[of]!);
    }
  });
  const zeros = new PackedRows(rows, blocks, bits);
  const scales = new Float32Array(scale.length);
  for (let i = 0; i < scale.length; i++) {
    const [row, place] = axis === 0 ? [i % rows, Math.floor(i / rows)] : [Math.floor(i / blocks), i % blocks];
    scales[row * blocks + place] = scale[i]!;
    zeros.put(row, place, -offset[i]!);
  }
  const middle = offset.every((low) => -low === 2 ** (bits - 1));
  return {
    bits,
    block,
    bytes: integers.bytes,
    scales: Tensor.float32([rows, blocks], scales),
    ...(middle ? {} : { zeroPoints: Tensor.of("uint8", [rows, zeros.rowBytes], zeros.bytes) }),
  };
}

/** What a node reads there: a constant, or the one that it shares through a Reshape (a table that is a weight, too). */
export function constantBehind(value: Value | null): Value | undefined {
  return (value?.producer?.op === "Reshape" ? value.producer.input(0) : value) ?? undefined;
}

/** Rows of integers of so many bits, each row from a byte of its own on, the first integer in the lowest bits. */
class PackedRows {
  readonly bytes: Uint8Array;
  readonly rowBytes: number;
  readonly #bits: number;

  constructor(rows: number, length: number, bits: number) {
    this.#bits = bits;
    this.rowBytes = Math.ceil((length * bits) / 8);
    this.bytes = new Uint8Array(rows * this.rowBytes);
  }

  put(row: number, place: number, integer: number): void {
    const at = place * this.#bits;
    const byte = row * this.rowBytes + (at >> 3);
    this.bytes[byte] = this.bytes[byte]! | (integer << (at & 7));
  }
}
