/** `avocet print`: a model as ONNX text. */
import { readModelFile } from "../../formats/index-node.ts";
import { printModel } from "../../ir/index.ts";
import type { Io } from "../io.ts";
import { expectNew, writeOutput } from "../output-file.ts";

export interface PrintOptions {
  readonly full?: boolean;
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function print(path: string, options: PrintOptions, io: Io): Promise<void> {
  if (options.output) expectNew(options.output, options.force);
  const text = `${printModel(readModelFile(path), { tensors: options.full ? "full" : "elide" })}\n`;
  if (options.output) writeOutput(options.output, text, options.force);
  if (options.json) io.out(`${JSON.stringify(options.output ? { output: options.output } : { text })}\n`);
  else if (!options.output) io.out(text);
}
