/**
 * A model in half precision becomes one in float32, inputs and outputs included: what is quantized is rounded once, from float32 on, and
 * simulated in float32. It computes what the model computes, but for the roundings between its operators.
 */
import { graphsOf } from "../../facts/inner.ts";
import type { Graph, Model, Node, Value } from "../../ir/inner.ts";
import { type DType, dtypes, Tensor } from "../../tensor/inner.ts";
import type { Pass } from "../pass.ts";

const halves: ReadonlySet<DType> = new Set<DType>(["float16", "bfloat16"]);

/** Attributes that hold the number of an element type. */
const typeAttributes = ["to", "dtype", "stash_type", "softmax_precision", "output_datatype"];

export const widenHalf: Pass = {
  name: "widen-half",
  run(model, _, note) {
    const found = kindOf(model);
    if (!found) return 0;
    let edits = 0;
    for (const graph of graphsOf(model)) edits += widen(graph);
    const [first] = model.graph.nodes;
    if (first)
      note?.(
        first,
        `the model is in ${found}: it was widened to float32, and so are its inputs and outputs (--form fp16 writes float16)`,
      );
    return edits;
  },
};

/** The half type that a model computes in. Constants that a Cast widens are stored in it only. */
function kindOf(model: Model): string | undefined {
  for (const graph of graphsOf(model)) {
    for (const value of graph.values()) {
      const dtype = dtypeOf(value);
      if (!dtype || !halves.has(dtype)) continue;
      if (!value.initializer || value.consumers().some((node) => node.op !== "Cast")) return dtype;
    }
    for (const node of graph.nodes) if (node.op === "Cast" && isHalf(node.int("to", 0))) return dtypes.float16.onnx === node.int("to", 0) ? "float16" : "bfloat16"; // biome-ignore format: one line
  }
  return undefined;
}

function dtypeOf({ initializer, type }: Value): DType | undefined {
  return initializer?.dtype ?? (type?.kind === "tensor" ? type.dtype : undefined);
}

function isHalf(code: number): boolean {
  return code === dtypes.float16.onnx || code === dtypes.bfloat16.onnx;
}

function widen(graph: Graph): number {
  let edits = 0;
  for (const value of graph.values()) {
    const { initializer, type } = value;
    if (initializer && halves.has(initializer.dtype)) value.initializer = widened(initializer);
    else if (type?.kind !== "tensor" || !halves.has(type.dtype)) continue;
    if (type?.kind === "tensor") value.type = { ...type, dtype: "float32" };
    edits++;
  }
  for (const node of graph.nodes) edits += widenAttributes(node);
  return edits;
}

function widenAttributes({ attributes }: Node): number {
  let edits = 0;
  for (const [name, attribute] of attributes) {
    if (attribute.type === "tensor" && halves.has(attribute.value.dtype))
      attributes.set(name, { type: "tensor", value: widened(attribute.value) });
    else if (attribute.type === "int" && typeAttributes.includes(name) && isHalf(Number(attribute.value)))
      attributes.set(name, { type: "int", value: dtypes.float32.onnx });
    else continue;
    edits++;
  }
  return edits;
}

function widened(tensor: Tensor): Tensor {
  return Tensor.lazy("float32", tensor.shape, () => tensor.floats());
}
