/** Recognises operators that exporters took apart, as far as the model's opset has them. */
import { LengthTable } from "../../facts/inner.ts";
import type { Pass } from "../pass.ts";
import { passOf, type Rule } from "../rule.ts";
import { recogniseGelu, recogniseGeluTanh, recogniseHardSwish, recogniseMish, recogniseSilu } from "./activations.ts";
import { recogniseAttention } from "./attention.ts";
import { recogniseLayerNorm, recogniseRmsNorm } from "./layer-norm.ts";

/** The opset in which ONNX got the operator that a rule makes. */
const since = (lengths: LengthTable): readonly (readonly [opset: number, rule: Rule])[] => [
  [14, recogniseHardSwish],
  [17, recogniseLayerNorm(lengths)],
  [18, recogniseMish],
  [20, recogniseGelu],
  [20, recogniseGeluTanh],
  [23, recogniseRmsNorm(lengths)],
  [23, recogniseAttention(lengths)],
  [24, recogniseSilu],
];

/** LayerNormalization (17), RMSNormalization and Attention (23), Gelu (20), HardSwish (14), Mish (18), Swish (24). */
export const recogniseOperators: Pass = {
  name: "recognise-operators",
  run(model, refuse) {
    const rules = since(new LengthTable(model))
      .filter(([opset]) => model.opset >= opset)
      .map(([, rule]) => rule);
    return passOf("recognise-operators", rules).run(model, refuse);
  },
};
