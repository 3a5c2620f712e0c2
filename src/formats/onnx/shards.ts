/** Lays out the tensors that leave the model file: which data file each goes to, and where in it. */
import type { Graph, Model } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import type { ExternalPlace } from "./tensor-to-proto.ts";

/** Start of each tensor in a data file: the page size, so that runtimes can map it into memory. */
const ALIGNMENT = 4096;

/** What one data file holds. */
export type Shard = readonly { readonly tensor: Tensor; readonly offset: number }[];

/** Lays tensors one after the other into data files of at most `shardBytes`. */
export function planShards(tensors: readonly Tensor[], shardBytes: number): Shard[] {
  const shards: { tensor: Tensor; offset: number }[][] = [];
  let end = 0;
  for (const tensor of tensors) {
    let offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    if (shards.length === 0 || (offset > 0 && offset + tensor.byteLength > shardBytes)) {
      shards.push([]);
      offset = 0;
    }
    shards[shards.length - 1]!.push({ tensor, offset });
    end = offset + tensor.byteLength;
  }
  return shards;
}

/** Where each tensor lies, when the shards have got their names. */
export function placesOf(shards: readonly Shard[], locations: readonly string[]): Map<Tensor, ExternalPlace> {
  const places = new Map<Tensor, ExternalPlace>();
  for (const [i, shard] of shards.entries()) {
    for (const { tensor, offset } of shard) {
      places.set(tensor, { location: locations[i]!, offset, length: tensor.byteLength });
    }
  }
  return places;
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
