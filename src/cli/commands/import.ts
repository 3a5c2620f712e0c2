/** `avocet import`: encodings of other tools, or a model that is quantized already, as a plan to edit, to quantize with, or to write as a file. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { AvocetError } from "../../base/inner.ts";
import { sha256OfFile, sweepFiles } from "../../base/inner-node.ts";
import { inferTypes } from "../../facts/inner.ts";
import { encodeModel } from "../../formats/inner.ts";
import { dataFilesOf, readModelFile, writeModelFile } from "../../formats/inner-node.ts";
import type { Model } from "../../ir/inner.ts";
import { normalise } from "../../passes/inner.ts";
import { type EncodingsFile, importEncodings, lower, type Plan, raise, withBiasEncodings } from "../../quant/inner.ts";
import { planToJson, readEncodings } from "../../quant/inner-files.ts";
import { placedBy, targetOf } from "../../recipe/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { floatFile } from "../inputs.ts";
import type { Io } from "../io.ts";
import { type OutputOptions, openOutputFile } from "../output-file.ts";
import { type RecipeOptions, recipeOf } from "../recipe-options.ts";
import { readTextFile } from "../text-file.ts";

export interface ImportOptions extends RecipeOptions, OutputOptions {
  readonly model?: string;
  readonly partial?: boolean;
  readonly strict?: boolean;
}

/** Files of encodings are JSON; what ends otherwise is a model. */
export async function importPlan(source: string, options: ImportOptions, io: Io): Promise<void> {
  const isText = /\.(json|encodings)$/i.test(source);
  if (isText && options.model === undefined) {
    throw new AvocetError("usage/missing", "expected the float model that the encodings are for, got none", {
      at: "avocet import",
      hint: "--model MODEL names it",
    });
  }
  if (!isText && options.model !== undefined) {
    throw new AvocetError("usage/bad-value", "expected encodings next to --model, got a model", {
      at: source,
      hint: "a model that is quantized already holds its float model itself",
    });
  }
  await (isText ? importFile(source, options.model!, options, io) : importModel(source, options, io));
}

/** Encodings and a float model: a plan, or where -o names one the quantized model. */
async function importFile(source: string, path: string, options: ImportOptions, io: Io): Promise<void> {
  const asModel = /\.onnx$/i.test(options.output);
  const kind = asModel ? "model" : "plan";
  const output = openOutputFile(options.output, { force: options.force, kind, inputs: [source, path] });
  const recipe = await recipeOf(path, options, options.json ? undefined : io.err);
  const file = readEncodings(readTextFile(source), source);
  const model = readModelFile(path);
  output.expectApart(dataFilesOf(model));
  await normalise(model, { runtime: await openRuntime() });
  const placed = placedBy(recipe, model, targetOf(recipe), inferTypes(model));
  const { plan, ignored, missing } = importEncodings(placed, file, model, {
    partial: options.partial === true,
    strict: options.strict === true,
  });
  if (asModel)
    writeModelFile(lower(model, withBiasEncodings(plan, model)).model, output.place, { replace: output.seen });
  else output.write(planToJson(plan));
  told(options, io, plan, file, [
    ...ignored.map((name) => `${name}: no quantizer of the plan takes it`),
    ...missing.map((name) =>
      options.partial ? `${name}: not in the file, calibrated later` : `${name}: not in the file, and so in float`,
    ),
  ]);
}

/** A quantized model: its plan, and its float model next to it. */
async function importModel(source: string, options: ImportOptions, io: Io): Promise<void> {
  const output = openOutputFile(options.output, { force: options.force, kind: "plan", inputs: [source] });
  const quantized: Model = readModelFile(source);
  const { model, plan, notes } = raise(quantized);
  const beside = join(dirname(output.place), floatFile);
  // A run that was killed between the two files left the first: the same command goes on from there.
  if (existsSync(beside) && sha256OfFile(beside) === digestOf(model)) sweepFiles(beside);
  else {
    const inputs = [source, ...dataFilesOf(quantized)];
    const float = openOutputFile(beside, { force: options.force, kind: "model", inputs });
    writeModelFile(model, float.place, { replace: float.seen });
  }
  output.write(planToJson(plan));
  told(options, io, plan, undefined, [
    `${beside} is its float model: avocet quantize ${beside} --plan ${options.output}`,
    ...notes,
  ]);
}

/** SHA-256 of the file that a model would be. */
function digestOf(model: Model): string {
  const hash = createHash("sha256");
  encodeModel(model).writeTo((chunk) => hash.update(chunk));
  return hash.digest("hex");
}

function told(
  options: ImportOptions,
  io: Io,
  plan: Plan,
  file: EncodingsFile | undefined,
  notes: readonly string[],
): void {
  const entries = plan.entries.filter((entry) => entry.encoding).length;
  if (options.json) {
    io.out(
      `${JSON.stringify({ output: options.output, ...(file ? { version: file.version } : {}), values: entries, notes })}\n`,
    );
    return;
  }
  io.out(`${options.output}: encodings of ${entries} values${file ? `, read from version ${file.version}` : ""}.\n`);
  for (const note of notes) io.out(`  ${note}\n`);
}
