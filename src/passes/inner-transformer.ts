/** @module What of a graph is a transformer: apart from `inner.ts`, as it is needed when a recipe names a method of transformers. */
export { foldGains, isSameUse, layerReading, readsTable, tablesOf } from "./transformer/fold-gains.ts";
export { type Heads, headsOf, moverBehind, sourceOf } from "./transformer/heads.ts";
export type { Norm } from "./transformer/norms.ts";
export { type ResidualStream, residualStreams, type Writer } from "./transformer/residual-stream.ts";
export {
  describeTransformer,
  type Transformer,
  type TransformerBlock,
  transformersOf,
} from "./transformer/topology.ts";
