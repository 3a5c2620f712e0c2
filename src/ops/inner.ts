/** @module One row per ONNX operator: arity, attributes, data movement or not, roles of inputs, cost. */

export { type Added, addedBy, additions, movers } from "./added.ts";
export { checkNodes } from "./check-nodes.ts";
export { operatorsPage } from "./document.ts";
export type {
  AttributeFacts,
  AttributeRow,
  LinearRole,
  NodeShapes,
  OpRow,
  OpSchema,
  Semantics,
  Signature,
} from "./row.ts";
export type { ContribOp, StandardOp } from "./schema.generated.ts";
export { attributesAt, families, isOpType, type OpType, ops, rowOf, versionAt } from "./table.ts";
