/**
 * Weights of 2, 4 or 8 bits in blocks, multiplied with floats: com.microsoft.MatMulNBits in the place of the MatMul or Gemm. It reads integers
 * packed by output, B [N, K / block, block · bits / 8], scales [N, K / block], and zero points of as many bits, one after the other from
 * the lowest bits on. With accuracy level 1 it computes in float32; with 4, if the plan asks for it, it rounds the inputs to int8 (rounded-inputs.ts).
 */
import type { Node, Value } from "../../ir/inner.ts";
import { isIntGrid } from "../grids/grid.ts";
import { entryAt } from "../plan/entry-at.ts";
import { constantBehind, packedMatrix } from "./packed-rows.ts";
import type { StorageForm } from "./row.ts";

const float32 = 1;

export const matMulNBits: StorageForm = {
  name: "matmulnbits",
  title: "MatMulNBits",
  replaces: "product",
  matches: ({ storage }) => storage === "matmulnbits",
  refusal({ grid, granularity }, value, entries) {
    if (!isIntGrid(grid) || ![2, 4, 8].includes(grid.bits)) return "it takes 2, 4 or 8 bits";
    const readers = value.consumers();
    if (value.isGraphOutput || !readers.every((node) => isFactor(node, value)))
      return "not only MatMul and Gemm read it";
    if (value.initializer?.shape.length !== 2) return "it takes one matrix";
    const axis = isTurned(readers[0]) ? 1 : 0;
    if (!readers.every((node) => isTurned(node) === (axis === 1))) return "its readers take it turned and as it is";
    if (granularity.kind !== "block" || granularity.axis !== axis) return "it takes scales in blocks";
    if (granularity.size < 16 || !Number.isInteger(Math.log2(granularity.size)))
      return "it takes blocks of 16, 32, 64 … inputs";
    const other = readers.find((node) => entryAt(node.input(0), entries));
    return other && `the input of ${other} is quantized`;
  },
  weightOf: (node) => (node.op === "MatMulNBits" ? constantBehind(node.input(1)) : undefined),
  whyFloat: (node) =>
    `its weight stays packed in ${node.int("bits", 4)} bits, in blocks of ${node.int("block_size", 0)}, and multiplies float inputs`,
  emit(entry, value, draft) {
    const readers = value.consumers();
    const axis = isTurned(readers[0]) ? 1 : 0;
    const matrix = packedMatrix(value.initializer!, entry.encoding!, axis);
    const { bits, block } = matrix;
    const [first, second] = value.initializer!.shape as [number, number];
    const [K, N] = axis === 0 ? [first, second] : [second, first];
    const { constant, stored, others } = draft.packed(entry.value, [N, K / block, (block * bits) / 8], matrix);
    const attributes = { K, N, bits, block_size: block, accuracy_level: entry.accuracyLevel ?? float32 };
    for (const node of readers) {
      const inputs = [node.input(0)!, stored, ...others];
      const bias = node.op === "Gemm" ? node.input(2) : null;
      if (bias) {
        const name = `${node.output.name}_product`;
        const product = draft.insert("MatMulNBits", inputs, name, { before: node }, attributes, "com.microsoft");
        // The product keeps the layer's name.
        if (node.name !== "") [product.name, node.name] = [node.name, `${node.name}_bias`];
        draft.replace(node, { op: "Add", inputs: [product.output, bias] }, [product]);
      } else draft.replace(node, { op: "MatMulNBits", domain: "com.microsoft", inputs, attributes });
    }
    draft.needs("com.microsoft", 1);
    draft.discard(entry.value, value);
    draft.record.quantizes(entry.value, { quantized: constant });
  },
};

/** Whether the node is a product of this graph that has the value as its second factor alone, and nothing but a bias is added. */
function isFactor(node: Node, value: Value): boolean {
  if (node.domain !== "" || node.graph !== value.graph || node.input(1) !== value || node.input(0) === value)
    return false;
  if (node.op === "MatMul") return true;
  const plain = node.float("alpha", 1) === 1 && node.float("beta", 1) === 1 && node.int("transA", 0) === 0;
  return node.op === "Gemm" && plain && node.input(2) !== value;
}

/** Whether the weight is [outputs, inputs]. */
function isTurned(node: Node | undefined): boolean {
  return node?.op === "Gemm" && node.int("transB", 0) === 1;
}
