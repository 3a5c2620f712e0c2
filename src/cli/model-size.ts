/** How large a model is, before and after a command changed it. */
import { parametersOf } from "../analysis/inner.ts";
import { disk, quietly } from "../base/inner-node.ts";
import { dataFilesOf } from "../formats/inner-node.ts";
import type { Model } from "../ir/inner.ts";

export interface ModelSize {
  readonly opset: number;
  readonly nodes: number;
  readonly parameters: number;
  /** Nodes by operator. */
  readonly operators: Readonly<Record<string, number>>;
}

/** Bytes of a model's file and of the external data that it is read from: what a user ships. */
export function modelBytes(path: string, model: Model): number {
  return [path, ...dataFilesOf(model)].reduce((sum, file) => sum + (quietly(() => disk.stat(file))?.size ?? 0), 0);
}

export function sizeOfModel(model: Model): ModelSize {
  return {
    opset: model.opset,
    nodes: model.graph.nodeCount,
    parameters: parametersOf(model),
    operators: operatorsOf(model),
  };
}

/** Nodes of the main graph by operator. */
export function operatorsOf(model: Model): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { opName } of model.graph.nodes) counts[opName] = (counts[opName] ?? 0) + 1;
  return counts;
}
