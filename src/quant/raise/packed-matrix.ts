/** Weights of MatMulNBits and tables of GatherBlockQuantized: the numbers and the encoding that rows of packed integers stand for. */
import { AvocetError } from "../../base/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { Encoding, Granularity } from "../grids/encoding.ts";
import { dequantize } from "../grids/fake-quantize.ts";
import type { Bits } from "../grids/names.ts";
import { constantBehind } from "../lower/packed-rows.ts";

interface PackedRows {
  readonly rows: number;
  /** Integers of a row, and how many neighbours share a scale. */
  readonly length: number;
  readonly size: number;
  readonly bits: number;
  readonly packed: Tensor;
  /** [rows, length / size]. */
  readonly scales: Tensor;
  /** As many bits each; absent where all are in the middle of the grid. */
  readonly zeros: Tensor | undefined;
}

interface Unpacked {
  /** The constant that holds the packed integers. */
  readonly stored: Value;
  readonly tensor: Tensor;
  readonly encoding: Encoding;
}

/** B [N, K / block, block · bits / 8] with scales [N, K / block] as a matrix [K, N] in blocks along K. Throws `quant/unsupported-model`. */
export function unpackedMatrix(node: Node): Unpacked {
  const [length, rows] = [node.int("K", 0), node.int("N", 0)];
  const stored = constantBehind(node.input(1));
  const given = { rows, length, size: node.int("block_size", 0), bits: node.int("bits", 4) };
  const read = checked(node, stored, 2, given);
  const { numbers, scale, offset } = unpacked(read);
  const blocks = length / read.size;
  const turned = <T extends number[] | Float64Array>(from: T, to: T, columns: number): T => {
    for (let n = 0; n < rows; n++) for (let k = 0; k < columns; k++) to[k * rows + n] = from[n * columns + k]!;
    return to;
  };
  const encoding = encodingOf(
    read,
    { kind: "block", axis: 0, size: read.size, channelAxis: 1 },
    turned(scale, new Array<number>(scale.length), blocks),
    turned(offset, new Array<number>(offset.length), blocks),
  );
  const codes = turned(numbers, new Float64Array(numbers.length), length);
  return { stored: stored!, tensor: dequantize(codes, [length, rows], encoding), encoding };
}

/** Data [rows, width · bits / 8] with scales [rows, width / block] as a table [rows, width]. Throws `quant/unsupported-model`. */
export function unpackedTable(node: Node): Unpacked {
  const bits = node.int("bits", 4);
  const stored = constantBehind(node.input(0));
  const [rows = 0, bytes = 0] = (node.input(0)?.producer ? shapeBehind(node) : stored?.initializer?.shape) ?? [];
  if (node.int("gather_axis", 0) !== 0 || node.int("quantize_axis", 1) !== 1)
    throw refusal(node, "rows of a table in blocks along its second axis", "other axes");
  const read = checked(node, stored, 2, { rows, length: (bytes * 8) / bits, size: node.int("block_size", 128), bits });
  const { numbers, scale, offset } = unpacked(read);
  const encoding = encodingOf(read, { kind: "block", axis: 1, size: read.size, channelAxis: 0 }, scale, offset);
  return { stored: stored!, tensor: dequantize(numbers, [rows, read.length], encoding), encoding };
}

/** The shape that a Reshape between the constant and the node asks for. */
function shapeBehind(node: Node): readonly number[] | undefined {
  return node.input(0)!.producer!.input(1)?.initializer?.numbers();
}

type Given = Pick<PackedRows, "rows" | "length" | "size" | "bits">;

/** Everything that is read below has the length that it must have. */
function checked(node: Node, stored: Value | undefined, scalesAt: number, given: Given): PackedRows {
  const { rows, length, size, bits } = given;
  const [packed, scales, zeros] = [stored?.initializer, node.input(scalesAt)?.initializer, node.input(scalesAt + 1)];
  if (!packed || !scales || (zeros && !zeros.initializer)) throw refusal(node, "constant weights", "computed ones");
  if (![2, 4, 8].includes(bits) || size < 1 || length < 1 || rows < 1 || length % size !== 0)
    throw refusal(
      node,
      "2, 4 or 8 bits in blocks that divide the inputs",
      `${bits} bits in blocks of ${size} of ${length}`,
    );
  const blocks = length / size;
  const bytes = (length * bits) / 8;
  if (packed.dtype !== "uint8" || packed.size !== rows * bytes || scales.size !== rows * blocks)
    throw refusal(node, `${rows} × ${bytes} bytes and ${rows * blocks} scales`, `${packed.size} and ${scales.size}`);
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  const points = zeros?.initializer;
  if (points && (points.dtype !== "uint8" || points.size !== rows * zeroBytes))
    throw refusal(node, `${rows * zeroBytes} bytes of zero points`, `${points.size} of ${points.dtype}`);
  return { ...given, packed, scales, zeros: points };
}

function unpacked({ rows, length, size, bits, packed, scales, zeros }: PackedRows) {
  const at = (data: Uint8Array, row: number, perRow: number, i: number) =>
    (data[row * perRow + ((i * bits) >> 3)]! >> ((i * bits) & 7)) & (2 ** bits - 1);
  const bytes = packed.data as Uint8Array;
  const blocks = length / size;
  const numbers = new Float64Array(rows * length);
  for (let n = 0; n < rows; n++)
    for (let k = 0; k < length; k++) numbers[n * length + k] = at(bytes, n, (length * bits) / 8, k);
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  const offset = new Array<number>(rows * blocks);
  for (let n = 0; n < rows; n++)
    for (let b = 0; b < blocks; b++)
      offset[n * blocks + b] = -(zeros ? at(zeros.data as Uint8Array, n, zeroBytes, b) : 2 ** (bits - 1)) + 0;
  return { numbers, scale: [...scales.floats()], offset };
}

function encodingOf({ bits }: PackedRows, granularity: Granularity, scale: number[], offset: number[]): Encoding {
  const symmetric = offset.every((o) => o === -(2 ** (bits - 1)));
  return { grid: { kind: "int", bits: bits as Bits, signed: true }, granularity, symmetric, scale, offset };
}

function refusal(node: Node, expected: string, got: string): AvocetError {
  return new AvocetError("quant/unsupported-model", `expected ${expected}, got ${got}`, {
    at: `${node}`,
    hint: "take the float model that the file was made from",
  });
}
