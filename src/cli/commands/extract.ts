/** `avocet extract`: what is needed to compute some values from others, as a model of its own. */
import { inferTypes } from "../../facts/inner.ts";
import { dataFilesOf, openModel, writeModelFile } from "../../formats/inner-node.ts";
import { extract as extractPart } from "../../ir/inner.ts";
import type { Io } from "../io.ts";
import { type OutputOptions, openOutputFile } from "../output-file.ts";

export interface ExtractOptions extends OutputOptions {
  readonly to?: readonly string[];
  readonly from?: readonly string[];
}

export async function extract(path: string, options: ExtractOptions, io: Io): Promise<void> {
  const output = openOutputFile(options.output, { force: options.force, kind: "model", inputs: [path] });
  const model = await openModel(path);
  output.expectApart(dataFilesOf(model));
  // Values that become inputs and outputs must say their types; most files say only those of the outermost.
  const named = new Set([...(options.to ?? []), ...(options.from ?? [])]);
  const types = inferTypes(model, { batch: null });
  for (const value of model.graph.values()) if (named.has(value.name)) value.type ??= types.get(value.name);
  const part = extractPart(model, options.to ?? model.graph.outputs.map((value) => value.name), options.from);
  // Without --from the part is given what it needs, and no input that it never looks at.
  if (!options.from)
    for (const input of [...part.graph.inputs]) if (input.useCount === 0) part.graph.removeInput(input);
  const { byteLength } = writeModelFile(part, options.output, { replace: output.seen });
  const result = {
    output: options.output,
    inputs: part.graph.inputs.map((value) => value.name),
    outputs: part.graph.outputs.map((value) => value.name),
    nodes: part.graph.nodeCount,
    bytes: byteLength,
  };
  if (options.json) io.out(`${JSON.stringify(result)}\n`);
  else io.out(`${result.nodes} nodes from ${result.inputs.join(", ")} to ${result.outputs.join(", ")}.\n`);
}
