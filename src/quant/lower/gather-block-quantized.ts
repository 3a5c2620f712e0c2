/**
 * Embeddings of 2, 4 or 8 bits in blocks: com.microsoft.GatherBlockQuantized in the place of the Gather. It reads rows of packed integers,
 * data [rows, width · bits / 8], scales [rows, width / block], and zero points of as many bits, and returns the chosen rows as floats: what
 * is not asked for is never dequantized.
 */
import type { Node, Value } from "../../ir/inner.ts";
import { isIntGrid } from "../grids/grid.ts";
import { constantBehind, packedMatrix } from "./packed-rows.ts";
import type { StorageForm } from "./row.ts";

export const gatherBlockQuantized: StorageForm = {
  name: "gatherblockquantized",
  title: "GatherBlockQuantized",
  matches: ({ storage }) => storage === "gatherblockquantized",
  replaces: "lookup",
  refusal({ grid, granularity }, value) {
    if (!isIntGrid(grid) || ![2, 4, 8].includes(grid.bits)) return "it takes 2, 4 or 8 bits";
    if (value.isGraphOutput || !value.consumers().every((node) => looksUp(node, value)))
      return "not only Gather reads it, row by row";
    if (value.initializer?.shape.length !== 2) return "it takes one table";
    if (granularity.kind !== "block" || granularity.axis !== 1) return "it takes scales in blocks";
    return granularity.size < 16 || !Number.isInteger(Math.log2(granularity.size))
      ? "it takes blocks of 16, 32, 64 … numbers"
      : undefined;
  },
  weightOf: (node) => (node.op === "GatherBlockQuantized" ? constantBehind(node.input(0)) : undefined),
  whyFloat: (node) =>
    `its table stays packed in ${node.int("bits", 4)} bits, in blocks of ${node.int("block_size", 128)}, and gives float rows`,
  emit(entry, value, draft) {
    const table = value.initializer!;
    const matrix = packedMatrix(table, entry.encoding!, 1);
    const { bits, block, bytes } = matrix;
    const rows = table.shape[0]!;
    const { constant, stored, others } = draft.packed(entry.value, [rows, bytes.length / rows], matrix);
    for (const node of value.consumers()) {
      draft.replace(node, {
        op: "GatherBlockQuantized",
        domain: "com.microsoft",
        inputs: [stored, node.input(1), ...others],
        attributes: { bits, block_size: block, gather_axis: 0, quantize_axis: 1 },
      });
    }
    draft.needs("com.microsoft", 1);
    draft.discard(entry.value, value);
    draft.record.quantizes(entry.value, { quantized: constant });
  },
};

/** Whether the node takes rows of the value, and nothing else of it. */
function looksUp(node: Node, value: Value): boolean {
  const isLookup = node.op === "Gather" && node.domain === "" && node.graph === value.graph;
  return isLookup && node.int("axis", 0) === 0 && node.input(0) === value && node.input(1) !== value;
}
