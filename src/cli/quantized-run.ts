/** What `quantize` and `train` share: a float model in; a folder with the shipped file, encodings, plan, recipe and report out. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { AvocetError, type Checkpoint, type Work } from "../base/index.ts";
import { expectApart } from "../base/index-node.ts";
import { type Dataset, samples } from "../data/index.ts";
import { dataFilesOf, readModelFile, type WrittenFiles, writeModelFile } from "../formats/index-node.ts";
import type { Model } from "../ir/index.ts";
import { planToJson, writeEncodings } from "../quant/index.ts";
import { isDataFree, type Quantized, type Recipe } from "../recipe/index.ts";
import { type OutputFolder, openOutputFolder } from "../recipe/index-node.ts";
import { jsonNumbers, type RunReport, renderReport, voidsScore, writeReport } from "../report/index.ts";
import { openRuntime, type Runtime, type RuntimeName } from "../runtime/index.ts";
import { agreementDocument } from "./agreement-document.ts";
import type { ExitCode } from "./exit.ts";
import { agreementGate, dropGate, type Gate, judgeGates } from "./gates.ts";
import { watchInputs } from "./input-watch.ts";
import { floatFile, openSamples, pathsRead } from "./inputs.ts";
import type { Io } from "./io.ts";
import type { UsedData } from "./judged-data.ts";
import { judgedDataOf, openJudging, scoreOf } from "./judging.ts";
import { classAxisOf, type JudgeOptions } from "./metric-options.ts";
import { progressView } from "./progress.ts";
import { findConfig } from "./recipe-file.ts";
import { type RecipeOptions, recipeOf } from "./recipe-options.ts";
import { openRunCheckpoint } from "./run-checkpoint.ts";
import { judgedReport, type RunParts, unjudgedReport } from "./run-report.ts";
import { summary } from "./summary.ts";
import { expectFitting, type Tolerance } from "./tolerance.ts";

export interface RunOptions extends RecipeOptions, JudgeOptions {
  /** The arguments of the command, for the report. */
  readonly command?: readonly string[];
  readonly output: string;
  readonly evaluate?: string;
  readonly evaluateSamples?: string;
  /** Of `train`: labels of the data, where those that judge are others. */
  readonly trainingLabels?: string;
  readonly maxDrop?: Tolerance;
  readonly minAgreement?: number;
  readonly threads?: number;
  readonly force?: boolean;
  readonly resume?: boolean;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** What is to be quantized, and how. */
export interface Given {
  readonly model: Model;
  /** null: none was given, and the recipe needs none. */
  readonly data: Dataset | null;
  readonly recipe: Recipe;
}

/** What makes the quantized model of a run. */
export interface Making {
  /** On what the result depends beside model, data and recipe, by name: a run that is resumed must have the same. */
  readonly identity: Readonly<Record<string, string>>;
  /** All of the data is trained on; otherwise a part calibrates. */
  readonly training?: boolean;
  make(
    runtime: Runtime,
    work: Work & { readonly threads?: number; readonly checkpoint: Checkpoint },
  ): Promise<Quantized>;
}

/**
 * Runs one of the commands that make a quantized model. `prepare` opens what the command needs beside model and data, so that
 * wrong input is told before anything long begins.
 */
export async function quantizedRun(
  path: string,
  options: RunOptions,
  io: Io,
  exit: (code: ExitCode) => void,
  prepare: (given: Given) => Promise<Making>,
): Promise<void> {
  const clock = stopwatch();
  if (options.maxDrop !== undefined && !options.evaluate) {
    throw new AvocetError("usage/missing", "expected --evaluate DATA beside --max-drop, got none", {
      hint: "a drop needs a score",
    });
  }
  const recipe = await recipeOf(path, options, options.quiet ? undefined : io.err);
  if (options.minAgreement !== undefined && !recipe.data && !options.evaluate) {
    throw new AvocetError("usage/missing", "expected data beside --min-agreement, got none", {
      hint: "agreement is measured on --evaluate or --data",
    });
  }
  const files = [
    path,
    options.recipe ?? findConfig(process.cwd()),
    options.preprocess,
    options.target,
    options.classes,
  ];
  const read = [recipe.data, options.evaluate, options.labels, options.trainingLabels];
  using folder = openOutputFolder(options.output, options.force === true, await pathsRead(files, read));
  const model = readModelFile(path);
  expectApart(options.output, dataFilesOf(model));
  const watch = await watchInputs([path, ...dataFilesOf(model)], read);
  const data =
    recipe.data || !isDataFree(recipe)
      ? await openSamples(model, recipe.data, recipe.preprocess, undefined, recipe, { ...options, signal: io.signal })
      : null;
  // What judges is opened before anything long begins, so that wrong labels are told at once.
  const judging = options.evaluate ? await openJudging(model, options.evaluate, options, recipe) : null;
  if (judging && options.maxDrop) {
    const { name, unit } = judging.metric.make();
    expectFitting(options.maxDrop, { metric: name, unit });
  }
  const classAxis = classAxisOf(options.classAxis);
  const { identity, make, training = false } = await prepare({ model, data, recipe });
  const runtime = await openRuntime(options.runtime, options);
  using checkpoint = await openRunCheckpoint(options, recipe, runtime, io, identity);
  const progress = progressView(io, options.quiet === true);
  const work = {
    signal: io.signal,
    onProgress: progress.show,
    ...(options.threads ? { threads: options.threads } : {}),
  };
  const reading = clock();
  const quantized = await make(runtime, { ...work, checkpoint });
  clock();
  await watch.expectUnchanged();
  const shipped = await writeResult(folder, quantized, recipe, io);
  const used: UsedData | null =
    data && (training || !isDataFree(recipe))
      ? { spec: recipe.data, data, part: recipe.samples, by: training ? "training" : "calibration" }
      : null;
  const parts: RunParts = {
    name: basename(path),
    command: options.command ?? [],
    quantized,
    recipe,
    calibrated: used ? samples(used.data, used.part).count : null,
    runtime,
    float: { model, path },
    shipped: { path: join(folder.staging, "model.onnx"), bytes: shipped.byteLength },
    work,
  };
  const write = clock();
  const unfinished = () => ({ read: reading, ...quantized.seconds, write, judge: 0, total: clock.total() });
  // The result is in its place before it is judged: whatever a judge does, it is not lost.
  writeReports(folder, options.output, {
    ...unjudgedReport(parts),
    seconds: unfinished(),
  });
  const written = readdirSync(folder.staging).sort();
  folder.commit();
  checkpoint.remove();
  const shippedPath = join(options.output, "model.onnx");
  quantized.shipped.source = shippedPath;
  const judged = judgedDataOf({ judging, data, used, quantized, recipe });
  const draft = await judgedReport(
    { ...parts, shipped: { ...parts.shipped, path: shippedPath } },
    {
      judged,
      score: async () => (judging ? await scoreOf([path, shippedPath], judging, runtime, options, work) : null),
      classAxis,
      classes: judging !== null || options.minAgreement !== undefined,
    },
  ).catch((error) => {
    progress.end();
    io.err(`${options.output} is complete, but was not judged: avocet verify ${options.output} does it\n`);
    throw error;
  });
  const report: RunReport = { ...draft, seconds: { ...unfinished(), judge: clock(), total: clock.total() } };
  // Of inputs that changed meanwhile nothing was judged; the folder says so already.
  await watch.expectUnchanged();
  writeReports(folder, options.output, report);
  progress.end();
  const result = {
    output: options.output,
    files: written,
    ...(report.score ? { score: report.score } : {}),
    ...agreementDocument(report.agreement),
    samples: report.agreementSamples,
    judgedOn: report.judgedOn,
    outputs: report.outputs,
    latencyMs: report.latencyMs,
    bytes: report.bytes,
    warnings: report.warnings,
    unjudged: report.unjudged,
    seconds: report.seconds,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
  io.out(options.json ? `${JSON.stringify(result, jsonNumbers)}\n` : summary(report, options.output));
  exit(judgeGates(gatesOf(options, report), io));
}

/** Everything but the report, into the folder that is being made. */
async function writeResult(folder: OutputFolder, quantized: Quantized, recipe: Recipe, io: Io): Promise<WrittenFiles> {
  const path = join(folder.staging, "model.onnx");
  quantized.shipped.source = path;
  const written = await writeModelFile(quantized.shipped, path);
  // Encodings are of use beside the weights that they were decided with.
  await writeModelFile(quantized.decided, join(folder.staging, floatFile));
  try {
    folder.write("model.encodings", writeEncodings(quantized.plan, quantized.decided, {}));
  } catch (error) {
    // The format has no words for this plan: what ships does not depend on it.
    if (!AvocetError.is(error) || error.code !== "quant/unsupported-encodings") throw error;
    io.err(`model.encodings is left out: ${error.message} (${error.detail.at})\n`);
  }
  folder.write("plan.json", planToJson(quantized.plan));
  folder.write("recipe.json", `${JSON.stringify(recipe, null, 2)}\n`);
  return written;
}

function writeReports(folder: OutputFolder, output: string, report: RunReport): void {
  folder.write("report.json", writeReport(report));
  folder.write("report.html", renderReport([{ name: basename(output), report }]));
}

/** A gate on figures that are worth nothing is missed. */
function gatesOf({ maxDrop, minAgreement }: RunOptions, report: RunReport): Gate[] {
  const gates: Gate[] = [];
  const worthless = report.warnings.find(voidsScore)?.text;
  if (maxDrop !== undefined) gates.push(dropGate(maxDrop, report.score, worthless));
  if (minAgreement !== undefined) gates.push(agreementGate(minAgreement, report.agreement, worthless));
  return gates;
}

/** Seconds since the last call; `total` since the first. */
function stopwatch(): (() => number) & { total(): number } {
  const start = performance.now();
  let last = start;
  const lap = () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
  return Object.assign(lap, { total: () => (performance.now() - start) / 1000 });
}
