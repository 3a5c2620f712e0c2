/** A constant on a grid with scales: its numbers behind a DequantizeLinear, and a Cast where the runtime computes with wider ones. */
import { initializerOf, isRecurrent } from "../../facts/inner.ts";
import type { Value } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import { dtypes } from "../../tensor/inner.ts";
import type { Granularity } from "../grids/encoding.ts";
import { codecOf } from "../grids/grid.ts";
import { countedFromLowest } from "./activation.ts";
import type { LoweringRow } from "./row.ts";
import { quantizedTensor } from "./stored.ts";
import { twoLevelScale } from "./two-level-scale.ts";

export const constantRow: LoweringRow = {
  name: "constant",
  // The rows in front of it take biases and grids without a scale.
  matches: (_, value) => initializerOf(value) !== undefined,
  emit(entry, value, draft) {
    const tensor = value.initializer!;
    // Integer kernels of two operands take them in one type.
    const encoding =
      isParameter(value) || entry.staysSigned ? entry.encoding! : countedFromLowest(entry.encoding!, draft.opset);
    const { granularity, grid } = encoding;
    const { stored, quantizer } = codecOf(grid);
    // A stock session runs integer kernels on what a Cast widens as it loads; blocks have none, and stay packed until they are read.
    const packed = granularity.kind === "block" || entry.staysNarrow;
    const dtype = packed && dtypes[stored].bits !== 2 ? stored : quantizer;
    const place = draft.beforeReaders(value);
    const nested = twoLevelScale(entry.value, encoding, tensor.shape, draft, place);
    const { scale, zeroPoint } = draft.store(entry, encoding, dtype, tensor.shape, nested);
    const integers = draft.constant(`${entry.value}_quantized`, quantizedTensor(tensor, encoding));
    const wide =
      stored === dtype
        ? integers
        : draft.insert("Cast", [integers], `${entry.value}_${dtype}`, place, { to: dtypes[dtype].onnx }).output;
    const name = `${value.name}_dequantized`;
    const node = draft.insert("DequantizeLinear", [wide, scale, zeroPoint], name, place, axisOf(granularity));
    draft.adopt(entry, value, node);
    draft.record.quantizes(entry.value, { quantized: integers, dequantized: node.output });
  },
};

function axisOf(granularity: Granularity): Record<string, number> {
  if (granularity.kind === "tensor") return {};
  if (granularity.kind === "channel") return { axis: granularity.axis };
  return { axis: granularity.axis, block_size: granularity.size };
}

/** Whether the constant is the weight of a product or a parameter of a normalization, and no operand next to activations. */
function isParameter(value: Value): boolean {
  return value.consumers().some((node) => {
    const row = rowOf(node);
    const reads = (index: number) => node.input(index) === value;
    return isRecurrent(node) || (row?.linear && reads(row.linear.weight)) || row?.normalization?.some(reads);
  });
}
