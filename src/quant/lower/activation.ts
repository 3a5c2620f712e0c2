/** An activation on a grid with scales: QuantizeLinear and DequantizeLinear behind it, and a Clip where the grid is narrower. */
import { initializerOf } from "../../facts/inner.ts";
import { type Node, tensorType, type Value } from "../../ir/inner.ts";
import { type DType, dtypes } from "../../tensor/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { codecOf, isIntGrid, isScaled } from "../grids/grid.ts";
import type { PlanEntry } from "../plan/plan.ts";
import type { LoweringRow } from "./row.ts";
import { clipEnds } from "./stored.ts";

export const activationRow: LoweringRow = {
  name: "activation",
  matches: ({ kind, grid }, value) => kind !== "bias" && isScaled(grid) && !initializerOf(value),
  emit(entry, value, draft) {
    const encoding = activationEncoding(entry, draft.opset);
    const dtype = codecOf(encoding.grid).quantizer;
    const { scale, zeroPoint, ends } = draft.store(entry, encoding, dtype, []);
    // The kernel of Clip takes 8 bits, and floats. Behind QuantizeLinear it leaves the kernel in front on integers.
    const clipsFloats = dtypes[dtype].bits > 8;
    let quantized: Value | undefined;
    const last = draft.putBehind(entry, value, (place) => {
      const made: Node[] = [];
      const next = (op: string, name: string, type: DType, ...others: readonly Value[]) => {
        const from = made.at(-1);
        const node = draft.insert(op, [from?.output ?? value, ...others], name, from ? { after: from } : place);
        node.output.type = retyped(value, type);
        made.push(node);
        return node.output;
      };
      if (ends.length > 0 && clipsFloats) next("Clip", `${entry.value}_clipped`, "float32", ...ends);
      quantized = next("QuantizeLinear", `${entry.value}_quantized`, dtype, scale, zeroPoint);
      if (ends.length > 0 && !clipsFloats) next("Clip", `${entry.value}_clipped`, dtype, ...ends);
      next("DequantizeLinear", `${entry.value}_dequantized`, "float32", scale, zeroPoint);
      return [made[0]!, made.at(-1)!];
    });
    draft.record.quantizes(entry.value, { quantized, dequantized: last.output });
  },
};

/** The encoding as the file has it. */
export function activationEncoding({ encoding, staysSigned }: PlanEntry, opset: number): Encoding {
  return staysSigned ? encoding! : countedFromLowest(encoding!, opset);
}

/**
 * Signed grids of activations are counted from their lowest number in the file, where they are narrower than 8 bits, and in
 * operator sets from 21 on: of int8 a stock session of ONNX Runtime 1.30 refuses what it moves behind a Reshape of its own
 * ("output_dtype INT8 does not match y_zero_point type UINT8"). The numbers stay the same.
 */
export function countedFromLowest(encoding: Encoding, opset: number): Encoding {
  const { grid } = encoding;
  if (!isIntGrid(grid) || grid.bits > 8 || !grid.signed) return encoding;
  const counted = opset >= 21 || clipEnds(encoding).length > 0;
  return counted ? { ...encoding, grid: { ...grid, signed: false } } : encoding;
}

/** The shape of a value with another element type. */
export function retyped({ type }: Value, dtype: DType): ReturnType<typeof tensorType> {
  return tensorType(dtype, type?.kind === "tensor" ? type.shape : null);
}
