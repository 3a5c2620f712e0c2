/** Named tensors: what goes into a model and what comes out. */
import type { Tensor } from "./tensor.ts";

export type Feeds = Readonly<Record<string, Tensor>>;
