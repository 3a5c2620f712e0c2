/**
 * Reductions that run inside the graph, so that only small numbers cross the door. Plain Reduce nodes over all axes
 * were the fastest form in ONNX Runtime (they read at memory speed; pooling, reshaping and products were slower).
 */
import { addNode, type Graph, type Value } from "../ir/inner.ts";
import { Tensor } from "../tensor/inner.ts";

/** Appends nodes that make small values of `value`; `opset` is the standard operator set of the model. */
export type Reduction = (graph: Graph, value: Value, opset: number) => readonly Value[];

export type Statistic = "ReduceMin" | "ReduceMax" | "ReduceSum" | "ReduceMean" | "ReduceSumSquare";

/** One number for the whole value, for each statistic. */
export function overall(...statistics: readonly Statistic[]): Reduction {
  return (graph, value, opset) => statistics.map((op) => reduce(graph, value, op, null, opset));
}

/** One number for each index of `axis` (non-negative) of a value of this rank, for each statistic. */
export function alongAxis(axis: number, rank: number, ...statistics: readonly Statistic[]): Reduction {
  const others = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis);
  return (graph, value, opset) => statistics.map((op) => reduce(graph, value, op, others, opset));
}

function reduce(graph: Graph, value: Value, op: Statistic, axes: readonly number[] | null, opset: number): Value {
  const output = `${value.name}:${op}`;
  // The axes moved from an attribute to an input: in opset 13 for ReduceSum, in 18 for the others.
  const asInput = opset >= (op === "ReduceSum" ? 13 : 18);
  if (axes === null || !asInput) {
    return addNode(graph, op, [value], { keepdims: 0, ...(axes === null ? {} : { axes }) }, { output }).output;
  }
  const list = graph.addInitializer(`${output}:axes`, Tensor.int64([axes.length], axes));
  return addNode(graph, op, [value, list], { keepdims: 0 }, { output }).output;
}
