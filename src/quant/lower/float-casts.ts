/** A value on a grid of floats: a Cast to the narrower type and one back; a constant is stored in the narrower type. */
import { initializerOf } from "../../facts/inner.ts";
import type { Value } from "../../ir/inner.ts";
import { dtypes } from "../../tensor/inner.ts";
import { codecOf, isScaled } from "../grids/grid.ts";
import { retyped } from "./activation.ts";
import type { LoweringRow } from "./row.ts";
import { codedTensor } from "./stored.ts";

export const floatCastRow: LoweringRow = {
  name: "float casts",
  matches: ({ kind, grid }) => kind !== "bias" && !isScaled(grid),
  emit(entry, value, draft) {
    const codec = codecOf(entry.grid);
    const dtype = codec.stored;
    const back = { to: dtypes.float32.onnx };
    const name = `${value.name}_dequantized`;
    const tensor = initializerOf(value);
    if (tensor) {
      const stored = codedTensor(codec, tensor.shape, (codes) => codec.encode(tensor.floats(), codes, 0));
      const half = draft.constant(`${value.name}_${dtype}`, stored);
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
