/** `avocet convert`: a model of any readable format as an ONNX file. */
import { dataFilesOf, mainFileOf, openModel, writeModelFile } from "../../formats/inner-node.ts";
import { conversionReport, conversionText } from "../conversion-report.ts";
import type { Io } from "../io.ts";
import { type OutputOptions, openOutputFile } from "../output-file.ts";

export interface ConvertOptions extends OutputOptions {
  readonly external: "auto" | "always" | "never";
  readonly shardBytes?: number;
  readonly signature?: string;
  readonly channelsFirst?: boolean;
}

export async function convert(path: string, options: ConvertOptions, io: Io): Promise<void> {
  const output = openOutputFile(options.output, { force: options.force, kind: "model", inputs: [path] });
  const { signature, channelsFirst = false } = options;
  const model = await openModel(path, { channelsFirst, ...(signature === undefined ? {} : { signature }) });
  output.expectApart(dataFilesOf(model));
  // Before it is written: what is seen of the source is what was read.
  const report = conversionReport(model, mainFileOf(path));
  const written = writeModelFile(model, options.output, {
    replace: output.seen,
    externalData: options.external,
    ...(options.shardBytes ? { shardBytes: options.shardBytes } : {}),
  });
  const result = {
    output: options.output,
    files: [written.model, ...written.data],
    bytes: written.byteLength,
    ...report,
  };
  if (options.json) io.out(`${JSON.stringify(result)}\n`);
  else io.out(`${conversionText(report)}${result.files.join(", ")}: ${result.bytes} bytes.\n`);
}
