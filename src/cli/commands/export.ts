/** `avocet export`: the encodings of a folder of `quantize`, in each version of AIMET's format. */
import { join } from "node:path";
import { normalise } from "../../passes/index.ts";
import { type EncodingsVersion, planFromJson, writeEncodings } from "../../quant/index.ts";
import { openRuntime } from "../../runtime/index.ts";
import { filesOfArgument, openFloatModel, openModel } from "../inputs.ts";
import type { Io } from "../io.ts";
import { type OutputOptions, openOutputFile } from "../output-file.ts";
import { readTextFile } from "../text-file.ts";

export interface ExportOptions extends OutputOptions {
  readonly format: EncodingsVersion;
  /** The former name of `format`. */
  readonly encodings?: EncodingsVersion;
  readonly floatModel?: string;
}

export async function exportEncodings(dir: string, options: ExportOptions, io: Io): Promise<void> {
  const version = options.encodings ?? options.format;
  const inputs = [...filesOfArgument(dir), ...(options.floatModel ? [options.floatModel] : [])];
  const output = openOutputFile(options.output, { force: options.force, kind: "encodings", inputs });
  const { model } = await openFloatModel(openModel(dir), options.floatModel);
  // The plan names the values of the normalised model.
  await normalise(model, { runtime: await openRuntime() });
  const path = join(dir, "plan.json");
  const plan = planFromJson(readTextFile(path), path);
  const text = writeEncodings(plan, model, { version });
  output.write(text);
  const encoded = plan.entries.filter((entry) => entry.encoding).length;
  if (options.json) io.out(`${JSON.stringify({ output: options.output, version, values: encoded })}\n`);
  else io.out(`${options.output}: encodings ${version} of ${encoded} values.\n`);
}
