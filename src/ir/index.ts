/** @module For programs that build or change graphs: values, nodes and the edits that keep them consistent. */
export {
  type Attribute,
  addNode,
  diffModels,
  extract,
  Graph,
  Node,
  removeDead,
  type TensorType,
  tensorType,
  Value,
} from "./inner.ts";
