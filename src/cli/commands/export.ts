/** `avocet export`: the encodings of a folder of `quantize`, in each version of AIMET's format, next to their float model. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { AvocetError } from "../../base/inner.ts";
import { sha256OfFile, sweepFiles } from "../../base/inner-node.ts";
import { dataFilesOf, openModel, writeModelFile } from "../../formats/inner-node.ts";
import type { Model } from "../../ir/inner.ts";
import { normalise } from "../../passes/inner.ts";
import { type EncodingsVersion, writeEncodings } from "../../quant/inner.ts";
import { planFromJson } from "../../quant/inner-files.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { filesOfArgument, floatFile, openArgument } from "../inputs.ts";
import type { Io } from "../io.ts";
import { type OutputFile, type OutputOptions, openOutputFile } from "../output-file.ts";
import { readTextFile } from "../text-file.ts";

export interface ExportOptions extends OutputOptions {
  readonly format: EncodingsVersion;
  /** The former name of `format`. */
  readonly encodings?: EncodingsVersion;
  readonly floatModel?: string;
  readonly int32Bias?: boolean;
}

export async function exportEncodings(dir: string, options: ExportOptions, io: Io): Promise<void> {
  const version = options.encodings ?? options.format;
  const inputs = [...filesOfArgument(dir), ...(options.floatModel ? [options.floatModel] : [])];
  const output = openOutputFile(options.output, { force: options.force, kind: "encodings", inputs });
  await openArgument(dir);
  const model = await floatModelOf(dir, options.floatModel);
  const beside = join(dirname(output.place), floatFile);
  const float = openFloatBeside(dir, beside, options, [...inputs, ...dataFilesOf(model)]);
  const path = join(dir, "plan.json");
  const plan = planFromJson(readTextFile(path), path);
  const text = writeEncodings(plan, model, { version, int32Bias: options.int32Bias !== false });
  if (float) writeModelFile(model, beside, { replace: float.seen });
  output.write(text);
  const encoded = plan.entries.filter((entry) => entry.encoding).length;
  const result = { output: options.output, float: beside, version, values: encoded };
  if (options.json) io.out(`${JSON.stringify(result)}\n`);
  else io.out(`${options.output}: encodings ${version} of ${encoded} values, for ${beside}.\n`);
}

/** The model that the plan belongs to. A model that is named is brought into the form that plans name the values of. */
async function floatModelOf(dir: string, named: string | undefined): Promise<Model> {
  const path = named ?? join(dir, floatFile);
  if (!existsSync(path)) {
    throw new AvocetError(
      "import/not-found",
      `expected the float model that the encodings belong to, there is no ${path}`,
      {
        at: dir,
        hint: "a folder of an older version lacks it: quantize again, or name a model with --float-model if no method decided weights",
      },
    );
  }
  const model = await openModel(path);
  if (named) await normalise(model, { runtime: await openRuntime() });
  return model;
}

/** Where the float model must be written, if it does not lie there already. Throws `output/exists` for another one without --force. */
function openFloatBeside(
  dir: string,
  beside: string,
  { force, floatModel }: ExportOptions,
  inputs: readonly string[],
): OutputFile | undefined {
  const own = join(dir, floatFile);
  if (
    !floatModel &&
    existsSync(beside) &&
    (resolve(own) === resolve(beside) || sha256OfFile(own) === sha256OfFile(beside))
  ) {
    sweepFiles(beside);
    return undefined;
  }
  return openOutputFile(beside, { force, kind: "model", inputs });
}
