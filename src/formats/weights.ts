/** Weights without a graph: what files of tensors by name are read as. */
import type { Tensor } from "../tensor/inner.ts";

export interface Weights {
  /** In the order of the file; each is read when it is first looked at. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** What the file says of itself. */
  readonly metadata: ReadonlyMap<string, string>;
}
