/** @module The graph: Model, Graph, Node, Value, the four edits, check, clone, extract, and ONNX text. */
export type { Attribute, AttributeLike, Whole } from "./attribute.ts";
export { addNode, attributeOf, type NodeOptions } from "./build.ts";
export { check } from "./check.ts";
export { absorb, cloneGraph, cloneModel, nodeNames } from "./clone.ts";
export { diffModels, type ModelDifference } from "./diff.ts";
export { cutAt, extract, removeDead } from "./extract.ts";
export { Graph, Node, type NodeSpec, type Place, type Use, Value } from "./graph.ts";
export { Model, type ModelFunction } from "./model.ts";
export { Names } from "./names.ts";
export { type ParseOptions, parseGraph, parseModel } from "./text/parse.ts";
export { type PrintOptions, printGraph, printModel, printType } from "./text/print.ts";
export { type Dim, staticShape, type TensorType, tensorType, type ValueType } from "./types.ts";
