/** A bias on the grid of the accumulator: int32 behind a DequantizeLinear. */
import { Tensor } from "../../tensor/inner.ts";
import type { LoweringRow } from "./row.ts";
import { biasTensor } from "./stored.ts";

/**
 * The scale is the float32 product of the two scales in the file: ONNX Runtime compares them bit by bit. There is no zero point:
 * some kernels for 32 bits refuse one. Without the encodings that it is made of a bias stays float.
 */
export const biasRow: LoweringRow = {
  name: "bias",
  matches: ({ kind }) => kind === "bias",
  emit(entry, value, draft) {
    const input = draft.entries.get(entry.scaleFrom?.input ?? "")?.encoding;
    const weight = draft.entries.get(entry.scaleFrom?.weight ?? "")?.encoding;
    if (!input || !weight || !entry.encoding) return;
    const inputScale = Math.fround(input.scale[0]!);
    const products =
      weight.granularity.kind === "block" || weight.scale.length !== entry.encoding.scale.length
        ? entry.encoding.scale
        : weight.scale.map((s) => inputScale * Math.fround(s));
    const scale = Float32Array.from(products);
    const perTensor = entry.encoding.granularity.kind === "tensor";
    const integers = draft.constant(`${entry.value}_quantized`, biasTensor(value.initializer!, scale));
    const stored = draft.constant(`${entry.value}_scale`, Tensor.float32(perTensor ? [] : [scale.length], scale));
    const place = draft.beforeReaders(value);
    const name = `${value.name}_dequantized`;
    const node = draft.insert("DequantizeLinear", [integers, stored], name, place, perTensor ? {} : { axis: 0 });
    draft.adopt(entry, value, node);
    draft.record.quantizes(entry.value, { quantized: integers, dequantized: node.output });
  },
};
