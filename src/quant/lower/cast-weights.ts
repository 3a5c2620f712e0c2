/**
 * Weights of recurrent operators that compute in float, as integers at rest: a Cast to float32 and a Mul by the scales, which ONNX Runtime computes
 * once as it loads the file, so that a run takes as long as in float. A DequantizeLinear it keeps, and computes at every run.
 */
import { isRecurrent, recurrentInputs } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { dtypes, Tensor } from "../../tensor/inner.ts";
import type { Encoding } from "../grids/encoding.ts";
import { isIntGrid } from "../grids/grid.ts";
import type { StorageForm } from "./row.ts";
import { quantizedTensor } from "./stored.ts";

export const castWeights: StorageForm = {
  name: "castweights",
  title: "a float kernel",
  replaces: "recurrence",
  matches: ({ storage }) => storage === "castweights",
  refusal({ grid, symmetric }) {
    if (!isIntGrid(grid)) return "it takes integers";
    return symmetric && grid.signed ? undefined : "it takes symmetric signed weights";
  },
  weightOf: (node) => (isRecurrent(node) ? castIn(node.input(recurrentInputs.w)) : undefined),
  whyFloat: (node) =>
    `ONNX Runtime has no integer kernel of ${node.op}: its integer weights become floats as the file is loaded`,
  emit(entry, value, draft) {
    const tensor = value.initializer!;
    const encoding = entry.encoding!;
    const place = draft.beforeReaders(value);
    const integers = draft.constant(`${entry.value}_quantized`, quantizedTensor(tensor, encoding));
    const wide = draft.insert("Cast", [integers], `${entry.value}_float`, place, { to: dtypes.float32.onnx }).output;
    const scale = draft.constant(`${entry.value}_scale`, scaleOf(encoding, tensor.shape));
    const node = draft.insert("Mul", [wide, scale], `${value.name}_dequantized`, place);
    draft.adopt(entry, value, node);
    draft.record.quantizes(entry.value, { quantized: integers, dequantized: node.output });
  },
};

/** The scales, in a shape that spreads over the weight [directions, gates · hidden, columns]. */
function scaleOf({ scale, granularity }: Encoding, shape: readonly number[]): Tensor {
  const spread =
    granularity.kind === "tensor"
      ? []
      : shape.map((length, axis) => {
          if (granularity.kind === "channel") return axis === granularity.axis ? length : 1;
          return axis === granularity.axis ? length / granularity.size : length;
        });
  return Tensor.float32(spread, scale);
}

/** The integers behind a Mul and a Cast to float. */
function castIn(value: Value | null): Value | undefined {
  const mul: Node | null | undefined = value?.producer;
  const cast = mul?.op === "Mul" ? mul.input(0)?.producer : undefined;
  const stored = cast?.op === "Cast" ? cast.input(0) : undefined;
  return stored?.initializer ? stored : undefined;
}
