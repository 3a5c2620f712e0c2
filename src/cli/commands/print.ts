/** `avocet print`: a model as ONNX text. */
import { dataFilesOf, openModel } from "../../formats/inner-node.ts";
import { printModel } from "../../ir/inner.ts";
import type { Io } from "../io.ts";
import { openOutputFile } from "../output-file.ts";

export interface PrintOptions {
  readonly full?: boolean;
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function print(path: string, options: PrintOptions, io: Io): Promise<void> {
  const output = options.output
    ? openOutputFile(options.output, { force: options.force, kind: "text", inputs: [path] })
    : undefined;
  const model = await openModel(path);
  output?.expectApart(dataFilesOf(model));
  const text = `${printModel(model, { tensors: options.full ? "full" : "elide" })}\n`;
  output?.write(text);
  if (options.json) io.out(`${JSON.stringify(options.output ? { output: options.output } : { text })}\n`);
  else if (!options.output) io.out(text);
}
