/** `avocet weights`: puts weights of a file without a graph into a model. */
import { AvocetError } from "../../base/inner.ts";
import { dataFilesOf, openModel, openWeights, writeModelFile } from "../../formats/inner-node.ts";
import { placeWeights } from "../../passes/inner.ts";
import type { Io } from "../io.ts";
import { openOutputFile } from "../output-file.ts";
import type { ConvertOptions } from "./convert.ts";

export interface WeightsOptions extends ConvertOptions {
  readonly from: string;
}

export async function weights(path: string, options: WeightsOptions, io: Io): Promise<void> {
  const output = openOutputFile(options.output, { force: options.force, kind: "model", inputs: [path, options.from] });
  const found = await openWeights(options.from);
  if (!found) {
    throw new AvocetError("import/unknown-format", "expected a file of weights, got something else", {
      at: options.from,
      hint: ".safetensors, and .pth or .pt of torch.save(model.state_dict(), file)",
    });
  }
  const model = await openModel(path);
  output.expectApart(dataFilesOf(model));
  const { prefix, placed, unused, missing } = placeWeights(model, found.tensors, options.from);
  const written = writeModelFile(model, options.output, {
    replace: output.seen,
    externalData: options.external,
    ...(options.shardBytes ? { shardBytes: options.shardBytes } : {}),
  });
  const files = [written.model, ...written.data];
  if (options.json) {
    io.out(
      `${JSON.stringify({ output: options.output, files, bytes: written.byteLength, prefix, placed, unused, missing })}\n`,
    );
    return;
  }
  const change = prefix.removed ? `, without "${prefix.removed}"` : prefix.added ? `, with "${prefix.added}"` : "";
  io.out(`${placed.length} of ${found.tensors.size} tensors are placed${change}.\n`);
  if (unused.length > 0) io.out(`in the file alone: ${unused.join(", ")}\n`);
  if (missing.length > 0) io.out(`kept from the model: ${missing.join(", ")}\n`);
  io.out(`${files.join(", ")}: ${written.byteLength} bytes.\n`);
}
