/** A value on a grid of floats: a Cast to the narrower type and one back; a constant is stored in the narrower type. */
import { initializerOf } from "../../facts/index.ts";
import type { Value } from "../../ir/index.ts";
import { dtypes, Tensor, toBfloat16Bits, toFloat16Bits } from "../../tensor/index.ts";
import type { PlanEntry } from "../plan.ts";
import { retyped } from "./activation.ts";
import type { LoweringRow } from "./row.ts";

export const floatCastRow: LoweringRow = {
  name: "float casts",
  matches: ({ kind, grid }) => kind !== "bias" && grid.kind === "float",
  emit(entry, value, draft) {
    const dtype = narrowTypeOf(entry);
    const back = { to: dtypes.float32.onnx };
    const name = `${value.name}_dequantized`;
    const tensor = initializerOf(value);
    if (tensor) {
      const bits = Uint16Array.from(tensor.floats(), dtype === "float16" ? toFloat16Bits : toBfloat16Bits);
      const half = draft.constant(`${value.name}_${dtype}`, Tensor.of(dtype, tensor.shape, bits));
      const node = draft.insert("Cast", [half], name, draft.beforeReaders(value), back);
      draft.adopt(entry, value, node);
      draft.record.quantizes(entry.value, { quantized: half, dequantized: node.output });
      return;
    }
    let quantized: Value | undefined;
    const last = draft.putBehind(entry, value, (place) => {
      const down = draft.insert("Cast", [value], `${value.name}_${dtype}`, place, { to: dtypes[dtype].onnx });
      down.output.type = retyped(value, dtype);
      quantized = down.output;
      return [down, draft.insert("Cast", [down.output], name, { after: down }, back)];
    });
    draft.record.quantizes(entry.value, { quantized, dequantized: last.output });
  },
};

/** float32 is no grid of an entry, and float8 is refused before. */
function narrowTypeOf({ grid }: PlanEntry): "float16" | "bfloat16" {
  return grid.kind === "float" && grid.dtype === "bfloat16" ? "bfloat16" : "float16";
}
