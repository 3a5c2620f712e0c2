/** Files of weights without a graph, by their content (Node). */
import { fileSource, readStart } from "./file-source-node.ts";
import { foreignFormat } from "./foreign.ts";
import { startBytes } from "./sources.ts";
import type { Weights } from "./weights.ts";

/**
 * The weights of a .safetensors, .pth or .pt file; undefined for a file of another kind. Throws what its reader throws, and
 * `import/not-found`.
 */
export async function openWeights(path: string): Promise<Weights | undefined> {
  const start = readStart(path, startBytes);
  const format = foreignFormat(start, path)?.format;
  if (format === "safetensors") return (await import("./safetensors/read.ts")).readSafetensors(fileSource(path));
  if (format !== "pytorch-weights") return undefined;
  return (await import("./pytorch/state-dict.ts")).readStateDict(fileSource(path));
}
