/** Decides which tensors leave the model file, and where in which data file each goes. */
import type { Graph, Model } from "../../ir/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { ExternalPlace } from "./tensor-to-proto.ts";

/** Start of each tensor in a data file: the page size, so that runtimes can map it into memory. */
const ALIGNMENT = 4096;

export interface Shard {
  readonly location: string;
  readonly tensors: readonly { readonly tensor: Tensor; readonly offset: number }[];
}

export interface ShardPlan {
  readonly shards: readonly Shard[];
  readonly places: ReadonlyMap<Tensor, ExternalPlace>;
}

/**
 * Lays tensors one after the other into data files of at most `shardBytes`. One file is called `<name>.data`, several
 * `<name>.data.0`, `.1` ….
 */
export function planShards(tensors: readonly Tensor[], name: string, shardBytes: number): ShardPlan {
  const groups: { tensor: Tensor; offset: number }[][] = [];
  let end = 0;
  for (const tensor of tensors) {
    let offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    if (groups.length === 0 || (offset > 0 && offset + tensor.byteLength > shardBytes)) {
      groups.push([]);
      offset = 0;
    }
    groups[groups.length - 1]!.push({ tensor, offset });
    end = offset + tensor.byteLength;
  }
  const shards = groups.map((group, i) => ({
    location: groups.length === 1 ? `${name}.data` : `${name}.data.${i}`,
    tensors: group,
  }));
  const places = new Map<Tensor, ExternalPlace>();
  for (const { location, tensors: group } of shards) {
    for (const { tensor, offset } of group) places.set(tensor, { location, offset, length: tensor.byteLength });
  }
  return { shards, places };
}

/** The initializers of a model and of its bodies, each tensor once. */
export function initializersOf(model: Model): Set<Tensor> {
  const found = new Set<Tensor>();
  const collect = (graph: Graph): void => {
    for (const { initializer } of graph.initializers) if (initializer) found.add(initializer);
    for (const node of graph.nodes) for (const body of node.subgraphs()) collect(body);
  };
  collect(model.graph);
  return found;
}
