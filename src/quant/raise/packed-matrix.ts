/** The weight of a MatMulNBits as the matrix and the encoding that it stands for. */
import { AvocetError } from "../../base/inner.ts";
import type { Node } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { dequantize } from "../grids/fake-quantize.ts";
import type { Bits } from "../grids/names.ts";

/** B [N, K / block, block · bits / 8] with scales [N, K / block] as a matrix [K, N] in blocks along K. Throws `quant/unsupported-model`. */
export function unpackedMatrix(node: Node): { readonly tensor: Tensor; readonly encoding: Encoding } {
  const refuse = (expected: string, got: string) =>
    new AvocetError("quant/unsupported-model", `expected ${expected}, got ${got}`, { at: `${node}` });
  const [K, N, bits, size] = [node.int("K", 0), node.int("N", 0), node.int("bits", 4), node.int("block_size", 0)];
  const [packed, scales, zeros] = [1, 2, 3].map((i) => node.input(i)?.initializer);
  if (!packed || !scales || (node.input(3) && !zeros)) throw refuse("constant weights", "computed ones");
  if (![2, 4, 8].includes(bits) || size < 1 || K < 1 || N < 1 || K % size !== 0)
    throw refuse("2, 4 or 8 bits in blocks that divide the inputs", `${bits} bits in blocks of ${size} of ${K}`);
  const blocks = K / size;
  const rowBytes = (blocks * size * bits) / 8;
  if (packed.dtype !== "uint8" || packed.size !== N * rowBytes || scales.size !== N * blocks)
    throw refuse(`${N} × ${rowBytes} bytes and ${N * blocks} scales`, `${packed.size} and ${scales.size}`);
  const bytes = packed.data as Uint8Array;
  const at = (data: Uint8Array, row: number, perRow: number, i: number) =>
    (data[row * perRow + ((i * bits) >> 3)]! >> ((i * bits) & 7)) & (2 ** bits - 1);
  const integers = new Float64Array(K * N);
  for (let n = 0; n < N; n++) for (let k = 0; k < K; k++) integers[k * N + n] = at(bytes, n, rowBytes, k);
  const zeroBytes = Math.ceil((blocks * bits) / 8);
  if (zeros && (zeros.dtype !== "uint8" || zeros.size !== N * zeroBytes))
    throw refuse(`${N * zeroBytes} bytes of zero points`, `${zeros.size} of ${zeros.dtype}`);
  const middle = 2 ** (bits - 1);
  const given = scales.floats();
  const scale = new Array<number>(blocks * N);
  const offset = new Array<number>(blocks * N);
  for (let n = 0; n < N; n++) {
    for (let b = 0; b < blocks; b++) {
      scale[b * N + n] = given[n * blocks + b]!;
      offset[b * N + n] = -(zeros ? at(zeros.data as Uint8Array, n, zeroBytes, b) : middle) + 0;
    }
  }
  const encoding: Encoding = {
    grid: { kind: "int", bits: bits as Bits, signed: true },
    granularity: { kind: "block", axis: 0, size, channelAxis: 1 },
    symmetric: offset.every((o) => o === -middle),
    scale,
    offset,
  };
  return { tensor: dequantize(integers, [K, N], encoding), encoding };
}
