/** Reading and rewriting the float constants of layers: computed in float64, stored in the type they had. */
import type { Graph, Node, Value } from "../ir/index.ts";
import { type DType, type Shape, Tensor, toBfloat16Bits, toFloat16Bits } from "../tensor/index.ts";
import { constantOf } from "./walk.ts";

const editable: readonly DType[] = ["float32", "float64", "float16", "bfloat16"];

/** The constant at an input, when its type is one in which weights are edited. */
export function floatConstant(value: Value | null | undefined): Tensor | undefined {
  const tensor = constantOf(value);
  return tensor && editable.includes(tensor.dtype) ? tensor : undefined;
}

/** The elements without a copy where the type allows it; never write to them. */
export function elementsOf(tensor: Tensor): ArrayLike<number> {
  if (tensor.dtype === "float32") return tensor.floats();
  return tensor.dtype === "float64" ? (tensor.data as Float64Array) : tensor.numbers();
}

/** A float tensor of this type whose i-th element is `element(i)`, rounded once. */
export function floatTensor(dtype: DType, shape: Shape, element: (index: number) => number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  if (dtype === "float32" || dtype === "float64") {
    const data = dtype === "float32" ? new Float32Array(size) : new Float64Array(size);
    for (let i = 0; i < size; i++) data[i] = element(i);
    return Tensor.of(dtype, shape, data);
  }
  const toBits = dtype === "float16" ? toFloat16Bits : toBfloat16Bits;
  const data = new Uint16Array(size);
  for (let i = 0; i < size; i++) data[i] = toBits(element(i));
  return Tensor.of(dtype, shape, data);
}

/**
 * Gives a node another constant at an input. A constant that only this node reads keeps its name; a shared one stays
 * as it is for the others, and the node gets its own copy.
 */
export function replaceConstant(graph: Graph, node: Node, index: number, tensor: Tensor, hint: string): Value {
  const old = node.input(index);
  if (old?.initializer && old.useCount === 1 && !old.isGraphInput && graph.initializers.has(old)) {
    old.initializer = tensor;
    old.type = { kind: "tensor", dtype: tensor.dtype, shape: tensor.shape };
    return old;
  }
  const made = graph.addInitializer(old?.name || hint, tensor);
  graph.setInput(node, index, made);
  return made;
}
