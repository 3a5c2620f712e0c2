/** What `quantize` and `train` share: a float model in; a folder with the shipped file, encodings, plan, recipe and report out. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { AvocetError, stopwatch } from "../base/inner.ts";
import { expectApart } from "../base/inner-node.ts";
import type { Dataset } from "../data/inner.ts";
import { dataFilesOf, mainFileOf, openModel, type WrittenFiles, writeModelFile } from "../formats/inner-node.ts";
import { writeEncodings } from "../quant/inner.ts";
import { planToJson } from "../quant/inner-files.ts";
import {
  isDataFree,
  type Quantized,
  type Recipe,
  type Run,
  type RunRequest,
  report,
  run,
  runSteps,
} from "../recipe/inner.ts";
import { type OutputFolder, openOutputFolder } from "../recipe/inner-node.ts";
import { jsonNumbers, type RunReport, renderReport, voidsScore, writeReport } from "../report/inner.ts";
import { openRuntime, type RuntimeName } from "../runtime/inner.ts";
import { agreementDocument } from "./agreement-document.ts";
import { placeOf } from "./data-place.ts";
import { environmentOf } from "./environment.ts";
import type { ExitCode } from "./exit.ts";
import { openGateRecord, type RecordOptions } from "./gate-record.ts";
import { type GateOptions, gatesOf } from "./gates.ts";
import { watchInputs } from "./input-watch.ts";
import { floatFile, openSamples, pathsRead, sha256 } from "./inputs.ts";
import type { Io } from "./io.ts";
import { openJudging } from "./judging.ts";
import { profilerOf } from "./kernel-times.ts";
import { kernelsOf } from "./kernels.ts";
import { classAxisOf, type JudgeOptions } from "./metric-options.ts";
import { modelBytes } from "./model-size.ts";
import { progressView } from "./progress.ts";
import { findConfig } from "./recipe-file.ts";
import { type RecipeOptions, recipeOf } from "./recipe-options.ts";
import { openRunCheckpoint } from "./run-checkpoint.ts";
import { scoreDocument } from "./score-document.ts";
import { figureRows, summary } from "./summary.ts";
import { readTextFile } from "./text-file.ts";
import { expectFitting } from "./tolerance.ts";
import { version } from "./version.ts";

export interface RunOptions extends RecipeOptions, JudgeOptions, GateOptions, RecordOptions {
  /** The arguments of the command, for the report. */
  readonly command?: readonly string[];
  readonly output: string;
  readonly evaluate?: string;
  readonly evaluateSamples?: string;
  /** Of `train`: labels of the data, where those that judge are others. */
  readonly trainingLabels?: string;
  /** Of `train`: the float model that teaches, where it is another. */
  readonly teacher?: string;
  readonly threads?: number;
  readonly force?: boolean;
  readonly resume?: boolean;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** What a command asks of the run next to model, data and recipe. */
export interface Asked {
  /** On what the result depends besides, by name: a run that is resumed must have the same. */
  readonly identity: Readonly<Record<string, string>>;
  readonly training?: NonNullable<RunRequest["training"]>;
}

/**
 * Runs one of the commands that make a quantized model. `prepare` opens what the command needs next to model and data, so that
 * wrong input is reported before anything long begins.
 */
export async function quantizedRun(
  given: string,
  options: RunOptions,
  io: Io,
  exit: (code: ExitCode) => void,
  prepare: (data: Dataset | null) => Promise<Asked>,
): Promise<void> {
  const path = mainFileOf(given);
  const clock = stopwatch();
  if (options.maxDrop !== undefined && !options.evaluate) {
    throw new AvocetError("usage/missing", "expected --evaluate DATA next to --max-drop, got none", {
      hint: "a drop needs a score",
    });
  }
  const recipe = await recipeOf(path, options, options.quiet ? undefined : io.err);
  if (options.minAgreement !== undefined && !recipe.data && !options.evaluate) {
    throw new AvocetError("usage/missing", "expected data next to --min-agreement, got none", {
      hint: "agreement is measured on --evaluate or --data",
    });
  }
  const files = [
    path,
    options.recipe ?? findConfig(process.cwd()),
    options.preprocess,
    options.target,
    options.classes,
    options.decode,
    options.teacher,
    recipe.statistics,
  ];
  const read = [recipe.data, options.evaluate, options.labels, options.trainingLabels];
  const paths = await pathsRead(files, read);
  using folder = openOutputFolder(options.output, options.force === true, paths);
  const record = openGateRecord(options, paths, io);
  const model = await openModel(path);
  expectApart(options.output, dataFilesOf(model));
  const watch = await watchInputs([path, ...dataFilesOf(model)], read);
  const data =
    recipe.data || !isDataFree(recipe)
      ? await openSamples(model, recipe.data, recipe.preprocess, undefined, recipe, { ...options, signal: io.signal })
      : null;
  const statistics =
    recipe.statistics === undefined
      ? undefined
      : (await import("../quant/inner-files.ts")).readStatistics(readTextFile(recipe.statistics), recipe.statistics);
  // What judges is opened before anything long begins, so that wrong labels are reported at once.
  const judging = options.evaluate ? await openJudging(model, options.evaluate, options, recipe) : null;
  if (judging && options.maxDrop) {
    const { name, unit } = judging.metric();
    expectFitting(options.maxDrop, { metric: name, unit });
  }
  const classAxis = classAxisOf(recipe.classAxis);
  const { identity, training } = await prepare(data);
  const runtime = await openRuntime(options.runtime, options);
  using checkpoint = await openRunCheckpoint(options, recipe, runtime, io, {
    ...identity,
    ...(recipe.statistics === undefined ? {} : { statistics: sha256(recipe.statistics) }),
  });
  const steps = [...runSteps(recipe, training !== undefined), ...(judging ? ["evaluate"] : []), "verify", "compare"];
  const progress = progressView(io, options.quiet === true, steps);
  const reading = clock();
  const shippedPath = join(options.output, "model.onnx");
  const reportOf = (done: Run): RunReport => ({
    ...report(done),
    seconds: { read: reading, ...done.seconds, total: clock.total() },
  });
  let written: readonly string[] | undefined;
  const done = await run({
    name: basename(path),
    source: { model, file: path, bytes: modelBytes(path, model) },
    data,
    place: recipe.data === undefined ? undefined : placeOf(recipe.data),
    recipe,
    runtime,
    ...(training ? { training } : {}),
    ...(statistics ? { statistics } : {}),
    judging,
    judgement: {
      classAxis,
      classes: judging !== null || options.minAgreement !== undefined,
      kernels: (_, quantized) => kernelsOf(shippedPath, quantized.lowered, quantized.plan, runtime),
      profile: profilerOf(runtime),
    },
    about: { avocet: version, environment: environmentOf(options.command ?? [], runtime, options.threads) },
    checkpoint,
    signal: io.signal,
    onProgress: progress.show,
    ...(options.threads ? { threads: options.threads } : {}),
    ...(options.batch ? { batch: options.batch } : {}),
    async made(quantized, before) {
      await watch.expectUnchanged();
      const { byteLength } = await writeResult(folder, quantized, recipe, io);
      // The result is in its place before it is judged: whatever a judge does, it is not lost.
      writeReports(folder, options.output, reportOf(before(byteLength)));
      const files = readdirSync(folder.staging).sort();
      folder.commit();
      written = files;
      checkpoint.remove();
      quantized.shipped.source = shippedPath;
      return { file: shippedPath, bytes: byteLength };
    },
  }).catch((error) => {
    if (!written) throw error;
    progress.end();
    io.err(`${options.output} is complete, but was not judged: avocet verify ${options.output} does it\n`);
    throw error;
  });
  const judged = reportOf(done);
  // Of inputs that changed meanwhile nothing was judged; the folder says so already.
  await watch.expectUnchanged();
  writeReports(folder, options.output, judged);
  progress.end();
  const result = {
    output: options.output,
    files: written,
    ...(judged.score ? { score: scoreDocument(judged.score) } : {}),
    ...agreementDocument(judged.agreement),
    samples: judged.agreementSamples,
    judgedOn: judged.judgedOn,
    outputs: judged.outputs,
    latencyMs: judged.latencyMs,
    bytes: judged.bytes,
    warnings: judged.warnings,
    unjudged: judged.unjudged,
    seconds: judged.seconds,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
  const said = options.json ? `${JSON.stringify(result, jsonNumbers)}\n` : summary(judged, options.output);
  const { score, agreement, bytes, latencyMs, warnings, seconds } = judged;
  const worthless = warnings.find(voidsScore)?.text;
  const recorded = {
    command: options.command?.[0] ?? "quantize",
    name: basename(path),
    seconds: seconds.total ?? 0,
    rows: figureRows(judged),
    warnings,
  };
  exit(record.close(said, recorded, gatesOf(options, { score, agreement, bytes, latencyMs, worthless })));
}

/** Everything but the report, into the folder that is being made. */
async function writeResult(folder: OutputFolder, quantized: Quantized, recipe: Recipe, io: Io): Promise<WrittenFiles> {
  const path = join(folder.staging, "model.onnx");
  quantized.shipped.source = path;
  const written = await writeModelFile(quantized.shipped, path);
  // Encodings are of use next to the weights that they were decided with.
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
