/** What `quantize` and `train` share: a float model in; a folder with the shipped file, encodings, plan, recipe and report out. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { evaluateAll, type Metric, type Verification, verify } from "../analysis/index.ts";
import { AvocetError, type Checkpoint, type Work } from "../base/index.ts";
import { expectApart } from "../base/index-node.ts";
import { type Dataset, samples } from "../data/index.ts";
import { dataFilesOf, readModelFile, writeModelFile } from "../formats/index-node.ts";
import type { Model } from "../ir/index.ts";
import { planToJson, writeEncodings } from "../quant/index.ts";
import { isDataFree, noiseData, type Quantized, type Recipe } from "../recipe/index.ts";
import { openOutputFolder } from "../recipe/index-node.ts";
import { type RunReport, renderReport } from "../report/index.ts";
import { openRuntime, type Runtime, type RuntimeName } from "../runtime/index.ts";
import type { ExitCode } from "./exit.ts";
import { agreementGate, dropGate, type Gate, judgeGates } from "./gates.ts";
import { watchInputs } from "./input-watch.ts";
import { fileBytes, type JudgeOptions, openMetric, openSamples, pathsRead } from "./inputs.ts";
import type { Io } from "./io.ts";
import { progressView } from "./progress.ts";
import { findConfig } from "./recipe-file.ts";
import { type RecipeOptions, recipeOf } from "./recipe-options.ts";
import { openRunCheckpoint } from "./run-checkpoint.ts";
import { reportRun } from "./run-report.ts";
import { summary } from "./summary.ts";

export interface RunOptions extends RecipeOptions, JudgeOptions {
  readonly output: string;
  readonly evaluate?: string;
  readonly evaluateSamples?: string;
  /** Of \`train\`: labels of the data, where those that judge are others. */
  readonly trainingLabels?: string;
  readonly maxDrop?: number;
  readonly minAgreement?: number;
  readonly threads?: number;
  readonly force?: boolean;
  readonly resume?: boolean;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** Samples on which the result is compared with float and with its simulation. */
const verifySamples = 200;

/** The same without data: noise is needed for kernels and latencies only. */
const noiseSamples = 16;

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
  const files = [path, options.recipe ?? findConfig(process.cwd()), options.preprocess, options.target];
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
  const { identity, make } = await prepare({ model, data, recipe });
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
  const shippedPath = join(folder.staging, "model.onnx");
  quantized.shipped.source = shippedPath;
  await writeModelFile(quantized.shipped, shippedPath);
  folder.write("model.encodings", writeEncodings(quantized.plan, quantized.decided, {}));
  folder.write("plan.json", planToJson(quantized.plan));
  folder.write("recipe.json", `${JSON.stringify(recipe, null, 2)}\n`);
  const write = clock();
  const score = judging ? await scoreOf([path, shippedPath], judging, runtime, options, work) : null;
  const seen = judging?.data ?? data;
  const compared = seen ? samples(seen, verifySamples) : noiseOr(quantized, recipe);
  const verified = await verify(
    { model: quantized.shipped, path: shippedPath, bytes: fileBytes(shippedPath) },
    { model, path, bytes: fileBytes(path) },
    runtime,
    compared,
    work,
  );
  const verification = seen ? verified : withoutDecisions(verified);
  const report = await reportRun({
    name: basename(path),
    quantized,
    recipe,
    score,
    verification,
    runtime,
    data: compared,
    noise: !seen,
    work,
  });
  await watch.expectUnchanged();
  const seconds = { read: reading, ...quantized.seconds, write, judge: clock(), total: clock.total() };
  const complete: RunReport = { ...report, seconds };
  folder.write("report.json", `${JSON.stringify(complete, null, 1)}\n`);
  folder.write("report.html", renderReport([{ name: basename(options.output), report: complete }]));
  const written = readdirSync(folder.staging).sort();
  folder.commit();
  checkpoint.remove();
  progress.end();
  const result = {
    output: options.output,
    files: written,
    ...(score ? { score } : {}),
    agreement: verification.agreement,
    latencyMs: verification.latencyMs,
    bytes: verification.bytes,
    seconds,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
  io.out(options.json ? `${JSON.stringify(result)}\n` : summary(complete, options.output));
  const gates: Gate[] = [];
  if (options.maxDrop !== undefined && score) gates.push(dropGate(options.maxDrop, score.float, score.quantized));
  if (options.minAgreement !== undefined) gates.push(agreementGate(options.minAgreement, verification.agreement.float));
  exit(judgeGates(gates, io));
}

interface Judging {
  readonly data: Dataset;
  /** One for each of the two models: metrics add up what they see. */
  readonly metrics: readonly Metric[];
}

async function openJudging(model: Model, spec: string, options: RunOptions, recipe: Recipe): Promise<Judging> {
  const data = await openSamples(model, spec, recipe.preprocess, options.evaluateSamples, recipe, options);
  return { data, metrics: [await openMetric(options, spec, data), await openMetric(options, spec, data)] };
}

/** Without any data kernels and latencies are measured on noise. Throws `data/none` where no noise can be made. */
function noiseOr(quantized: Quantized, recipe: Recipe): Dataset {
  const noise = noiseData(quantized, recipe, noiseSamples);
  if (noise) return noise;
  throw new AvocetError("data/none", "expected data to run the result on, got none", {
    hint: "--data or --evaluate; noise stands in where shapes are static and preprocessing or the recipe's inputs tell the range",
  });
}

/** What a model decides on noise says nothing. */
function withoutDecisions(verification: Verification): Verification {
  return { ...verification, agreement: { simulation: null, float: null }, ties: null };
}

/** Float and quantized file, judged side by side in stock sessions. */
async function scoreOf(
  paths: readonly [string, string],
  { data, metrics }: Judging,
  runtime: Runtime,
  options: RunOptions,
  work: Work,
): Promise<NonNullable<RunReport["score"]>> {
  const threads = options.threads ? { threads: options.threads } : {};
  await using float = await runtime.open(paths[0], threads);
  await using quantized = await runtime.open(paths[1], threads);
  const judged = [float, quantized].map((session, i) => ({ session, metric: metrics[i]! }));
  const [a, b] = await evaluateAll(judged, data, { ...work, ...(options.batch ? { batch: options.batch } : {}) });
  return { metric: options.metric, float: a!.value, quantized: b!.value, samples: a!.samples };
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
