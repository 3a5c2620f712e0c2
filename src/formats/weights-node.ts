/** Files of weights without a graph, by their content (Node). */
import { fileSource, readStart, readWhole } from "./file-source-node.ts";
import { foreignFormat } from "./foreign.ts";
import { limits } from "./limits.ts";
import { startBytes } from "./sources.ts";
import type { Weights } from "./weights.ts";

/**
 * The weights of a .safetensors, .pth or .pt file; undefined for a file of another kind. Throws what its reader throws, and
 * `import/not-found`.
 */
export async function openWeights(path: string): Promise<Weights | undefined> {
  const start = readStart(path, startBytes, Number.MAX_SAFE_INTEGER, "");
  const format = foreignFormat(start, path)?.format;
  if (format === "safetensors") return (await import("./safetensors/read.ts")).readSafetensors(fileSource(path));
  if (format !== "pytorch-weights") return undefined;
  const bytes = readWhole(path, limits.onnxFileBytes, "save it as safetensors, which is read by range");
  return (await import("./pytorch/state-dict.ts")).readStateDict(bytes, path);
}
