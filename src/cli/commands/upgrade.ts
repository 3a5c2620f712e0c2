/** `avocet upgrade`: the same model in a newer opset. */
import { dataFilesOf, openModel, writeModelFile } from "../../formats/inner-node.ts";
import { upgradeOpset } from "../../passes/inner.ts";
import type { Io } from "../io.ts";
import { type OutputOptions, openOutputFile } from "../output-file.ts";

export interface UpgradeOptions extends OutputOptions {
  readonly opset: number;
}

export async function upgrade(path: string, options: UpgradeOptions, io: Io): Promise<void> {
  const output = openOutputFile(options.output, { force: options.force, kind: "model", inputs: [path] });
  const model = await openModel(path);
  output.expectApart(dataFilesOf(model));
  const from = model.opset;
  const edits = upgradeOpset(model, options.opset);
  const { byteLength } = writeModelFile(model, options.output, { replace: output.seen });
  const result = { output: options.output, from, opset: model.opset, edits, bytes: byteLength };
  if (options.json) io.out(`${JSON.stringify(result)}\n`);
  else if (from >= options.opset) io.out(`the model is in opset ${from} already; ${options.output} is a copy.\n`);
  else io.out(`opset ${from} → ${model.opset}, ${edits - 1} nodes rewritten; ${options.output} is written.\n`);
}
