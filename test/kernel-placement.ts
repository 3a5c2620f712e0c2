/** Placement for ONNX Runtime on small graphs: the state of each value, and the sentence that says why. */
import { parseModel, type TensorType } from "../src/ir/inner.ts";
import { builtinTarget, type PlaceOptions, type Plan, place } from "../src/quant/inner.ts";

const square = "float[4,4,1,1]";
/** A graph of pictures of four channels, with the 1 × 1 kernels w, v and u, and a second input z. */
export const pictures = (body: string, opset = 21, more = "") =>
  `<ir_version: 8, opset_import: ["": ${opset}, "com.example": 1]> f (float[1,4,8,8] x, float[1,4,8,8] z, bool q, int64[8] i) => (float y)
  <${square} w, ${square} v, ${square} u${more}> { ${body} }`;
/** The same for matrices. */
export const matrices = (body: string) =>
  `<ir_version: 8, opset_import: ["": 21]> f (float[4,8] x, float[4,8] z) => (float y) <float[8,8] w, float[8,8] v, float[8,8] u> { ${body} }`;

export function planOf(text: string, options: Partial<PlaceOptions> = {}): Plan {
  return place(parseModel(text, { seed: 1 }), builtinTarget("ort-cpu"), {
    shapes: new Map<string, TensorType>(),
    ...options,
  });
}
/** The sentences about values, each after its state. */
export function about(text: string, values: string, options: Partial<PlaceOptions> = {}): string[] {
  const plan = planOf(text, options);
  return values.split(" ").map((value) => {
    const entry = plan.entries.find((one) => one.value === value);
    if (entry) return `${entry.sharesEncodingOf ? `as ${entry.sharesEncodingOf}` : "on"}: ${entry.reason}`;
    return `float: ${plan.notQuantized.find((one) => one.value === value)?.reason}`;
  });
}

/** What the output of a layer says that always returns integers. */
export const gives = (what: string) => `on: the integer kernel of ${what} gives integers`;
