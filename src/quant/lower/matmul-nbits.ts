/**
 * Weights of 2, 4 or 8 bits in blocks, multiplied with floats: com.microsoft.MatMulNBits in the place of the MatMul. It reads integers
 * packed by output, B [N, K / block, block · bits / 8], scales [N, K / block], and zero points of as many bits, one after the other from
 * the lowest bits on. With accuracy level 1 it computes in float32; level 4 would round the inputs to int8 (rounded-inputs.ts).
 */
import type { Node, Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { isIntGrid } from "../grids/grid.ts";
import { entryAt } from "../plan/entry-at.ts";
import { packedMatrix } from "./packed-rows.ts";
import type { StorageForm } from "./row.ts";

const float32 = 1;

export const matMulNBits: StorageForm = {
  name: "matmulnbits",
  title: "MatMulNBits",
  replaces: "product",
  matches: ({ storage }) => storage === "matmulnbits",
  refusal({ grid, granularity }, value, entries) {
    if (!isIntGrid(grid) || ![2, 4, 8].includes(grid.bits)) return "it takes 2, 4 or 8 bits";
    if (value.isGraphOutput || !value.consumers().every((node) => isFactor(node, value)))
      return "not only MatMul reads it";
    if (value.initializer?.shape.length !== 2) return "it takes one matrix";
    if (granularity.kind !== "block" || granularity.axis !== 0) return "it takes scales in blocks";
    if (granularity.size < 16 || !Number.isInteger(Math.log2(granularity.size)))
      return "it takes blocks of 16, 32, 64 … inputs";
    const other = value.consumers().find((node) => entryAt(node.input(0), entries));
    return other && `the input of ${other} is quantized`;
  },
  weightOf: (node) => (node.op === "MatMulNBits" ? (node.input(1) ?? undefined) : undefined),
  whyFloat: (node) =>
    `its weight stays packed in ${node.int("bits", 4)} bits, in blocks of ${node.int("block_size", 0)}, and multiplies float inputs`,
  emit(entry, value, draft) {
    const { bits, block, bytes, scales, zeroPoints } = packedMatrix(value.initializer!, entry.encoding!, 0);
    const [K, N] = value.initializer!.shape as [number, number];
    const packed = Tensor.of("uint8", [N, K / block, (block * bits) / 8], bytes);
    const stored = draft.constant(`${entry.value}_packed`, packed);
    const inputs = [stored, draft.constant(`${entry.value}_scale`, scales)];
    if (zeroPoints) inputs.push(draft.constant(`${entry.value}_zero_point`, zeroPoints));
    for (const node of value.consumers()) {
      draft.replace(node, {
        op: "MatMulNBits",
        domain: "com.microsoft",
        inputs: [node.input(0), ...inputs],
        attributes: { K, N, bits, block_size: block, accuracy_level: float32 },
      });
    }
    draft.needs("com.microsoft", 1);
    draft.discard(entry.value, value);
    draft.record.quantizes(entry.value, { quantized: stored });
  },
};

/** Whether the node is a product of this graph that has the value as its second factor alone. */
function isFactor(node: Node, value: Value): boolean {
  const isProduct = node.op === "MatMul" && node.domain === "" && node.graph === value.graph;
  return isProduct && node.input(1) === value && node.input(0) !== value;
}
