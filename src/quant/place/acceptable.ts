/** Which models placement takes: float ones that hold no quantization yet. Everything wrong is said at once. */
import { AvocetError } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import type { DType } from "../../tensor/inner.ts";
import { quantizedOperators, remedyOf } from "../raise/read-quantized.ts";

/** Throws `quant/already-quantized` or `quant/unsupported-model`. */
export function refuseUnfit(model: Model): void {
  const at = model.source ? { at: model.source } : {};
  const { nodes, text } = quantizedOperators(model.graph);
  if (nodes.length > 0) {
    throw new AvocetError("quant/already-quantized", `expected a float model, got one with ${text}`, {
      ...at,
      hint: remedyOf(nodes),
    });
  }
  const count = (dtypes: readonly DType[]) => {
    let size = 0;
    for (const { initializer } of model.graph.initializers)
      if (dtypes.includes(initializer!.dtype)) size += initializer!.size;
    return size;
  };
  const full = count(["float32"]);
  for (const [dtypes, what, hint] of otherPrecisions) {
    const other = count(dtypes);
    const fed = model.graph.inputs.some(
      (v) => !v.initializer && v.type?.kind === "tensor" && dtypes.includes(v.type.dtype),
    );
    if (other > full || (fed && other > 0)) {
      throw new AvocetError("quant/unsupported-model", `expected a float32 model, got one in ${what}`, { ...at, hint });
    }
  }
}

/** What models compute in next to float32. */
const otherPrecisions: readonly (readonly [dtypes: readonly DType[], what: string, hint: string])[] = [
  [["float16", "bfloat16"], "half precision", "`normalise` widens it to float32, as every command does"],
  [
    ["float64"],
    "double precision",
    "export the model in float32 (in PyTorch `model.float()`, in Keras `set_floatx('float32')`): integers of 8 or 16 bits do not see the difference",
  ],
];
