/** What is constant in a graph: three questions that differ in who may still change the answer, and what is read of it. */
import type { Attribute, Node, Value } from "../ir/inner.ts";
import { type DType, Tensor } from "../tensor/inner.ts";
import { isOp } from "./walk.ts";

/** The data of an initializer that nobody can feed: what the graph stores. A Constant node's output is none. */
export function initializerOf(value: Value | null | undefined): Tensor | undefined {
  return value && !value.isGraphInput ? value.initializer : undefined;
}

/** The data of a value that nobody can feed: an initializer that is no graph input, or a Constant node's tensor. */
export function constantOf(value: Value | null | undefined): Tensor | undefined {
  if (!value) return undefined;
  if (value.initializer) return initializerOf(value);
  return isOp(value.producer, "Constant") ? tensorOfConstant(value.producer) : undefined;
}

/** What a run sees that feeds nothing for it: a constant, or the default of a graph input that may be left out. */
export function defaultOf(value: Value | null | undefined): Tensor | undefined {
  return value?.initializer ?? constantOf(value);
}

/** The numbers of a constant; undefined where the value is none, or holds no real numbers. */
export function constantNumbers(value: Value | null | undefined): number[] | undefined {
  const tensor = constantOf(value);
  return tensor && !["string", "complex64", "complex128"].includes(tensor.dtype) ? tensor.numbers() : undefined;
}

const editable: readonly DType[] = ["float32", "float64", "float16", "bfloat16"];

/** The constant at an input, when its type is one in which weights are edited. */
export function floatConstant(value: Value | null | undefined): Tensor | undefined {
  const tensor = constantOf(value);
  return tensor && editable.includes(tensor.dtype) ? tensor : undefined;
}

/** The tensor of a Constant node in any of its spellings; undefined for sparse ones and references. */
export function tensorOfConstant(node: Node): Tensor | undefined {
  const [entry] = node.attributes;
  if (!entry) return undefined;
  const attribute: Attribute = entry[1];
  switch (attribute.type) {
    case "tensor":
      return attribute.value;
    case "float":
      return Tensor.float32([], [attribute.value]);
    case "floats":
      return Tensor.float32([attribute.value.length], attribute.value);
    case "int":
      return Tensor.int64([], [attribute.value]);
    case "ints":
      return Tensor.int64([attribute.value.length], attribute.value);
    case "string":
      return typeof attribute.value === "string" ? Tensor.of("string", [], [attribute.value]) : undefined;
    case "strings": {
      const texts = attribute.value.filter((s): s is string => typeof s === "string");
      return texts.length === attribute.value.length ? Tensor.of("string", [texts.length], texts) : undefined;
    }
    default:
      return undefined;
  }
}
