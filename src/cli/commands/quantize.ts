/** `avocet quantize`: a float model in; a folder with the shipped file, encodings, plan, recipe and report out. */
import { existsSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { evaluate, verify } from "../../analysis/index.ts";
import { AvocetError } from "../../base/index.ts";
import { readModelFile, writeModelFile } from "../../formats/index-node.ts";
import { planToJson, writeEncodings } from "../../quant/index.ts";
import { parseRecipe, type Quantized, quantizeModel, type Recipe, type RecipeInput } from "../../recipe/index.ts";
import { openOutputFolder } from "../../recipe/index-node.ts";
import type { RunReport } from "../../report/index.ts";
import { renderReport } from "../../report/index.ts";
import { openRuntime, type Runtime, type RuntimeName } from "../../runtime/index.ts";
import type { ExitCode } from "../exit.ts";
import { agreementGate, dropGate, type Gate, judgeGates } from "../gates.ts";
import {
  type DataOptions,
  fileBytes,
  type JudgeOptions,
  openMetric,
  openSamples,
  preprocessOf,
  readJson,
  sha256,
} from "../inputs.ts";
import type { Io } from "../io.ts";
import { type ProgressView, progressView } from "../progress.ts";
import { reportRun, settingsOf } from "../run-report.ts";
import { version } from "../version.ts";

export interface QuantizeOptions extends DataOptions, JudgeOptions {
  readonly output: string;
  readonly recipe?: string;
  readonly target?: string;
  readonly weights?: string;
  readonly activations?: string;
  readonly granularity?: string;
  readonly calibration?: string;
  readonly float?: readonly string[];
  readonly preset?: string;
  readonly method?: readonly string[];
  readonly evaluate?: string;
  readonly evaluateSamples?: string;
  readonly maxDrop?: number;
  readonly minAgreement?: number;
  readonly batch?: number;
  readonly threads?: number;
  readonly seed?: number;
  readonly force?: boolean;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** Samples of the calibration data on which the result is compared with float when no evaluation data is given. */
const verifySamples = 200;

export async function quantize(
  path: string,
  options: QuantizeOptions,
  io: Io,
  exit: (code: ExitCode) => void,
): Promise<void> {
  const start = performance.now();
  if (options.maxDrop !== undefined && !options.evaluate) {
    throw new AvocetError("usage/missing", "expected --evaluate DATA beside --max-drop", {
      hint: "a drop needs a score",
    });
  }
  const recipe = await recipeOf(path, options);
  using folder = openOutputFolder(options.output, options.force === true);
  const model = readModelFile(path);
  const data = await openSamples(model, options.data ?? recipe.data, recipe.preprocess, undefined);
  const runtime = await openRuntime(options.runtime);
  const read = seconds(start);
  const progress = progressView(io, options.quiet === true);
  const work = {
    signal: io.signal,
    onProgress: progress.show,
    ...(options.threads ? { threads: options.threads } : {}),
  };
  const quantized = await quantizeModel(model, data, recipe, runtime, work);
  const writing = performance.now();
  quantized.shipped.source = join(folder.staging, "model.onnx");
  await writeModelFile(quantized.shipped, quantized.shipped.source);
  folder.write("model.encodings", writeEncodings(quantized.plan, quantized.float, {}));
  folder.write("plan.json", planToJson(quantized.plan));
  folder.write("recipe.json", `${JSON.stringify(recipe, null, 2)}\n`);
  const write = seconds(writing);
  const score = options.evaluate ? await scoreOf(path, quantized, options, recipe, runtime, io, progress) : null;
  const judging = options.evaluate
    ? await openSamples(model, options.evaluate, recipe.preprocess, options.evaluateSamples ?? verifySamples)
    : await openSamples(model, options.data ?? recipe.data, recipe.preprocess, verifySamples);
  const verification = await verify(
    { model: quantized.shipped, path: quantized.shipped.source, bytes: fileBytes(quantized.shipped.source) },
    { model, path, bytes: fileBytes(path) },
    runtime,
    judging,
    work,
  );
  const times = {
    read,
    prepare: quantized.seconds.prepare,
    calibrate: quantized.seconds.calibrate,
    methods: quantized.seconds.methods,
    write,
  };
  const report = await reportRun({
    name: basename(path),
    quantized,
    recipe,
    score,
    verification,
    runtime,
    data: judging,
    work,
    seconds: times,
  });
  const total = seconds(start);
  const complete: RunReport = { ...report, seconds: { ...times, total } };
  folder.write("report.json", `${JSON.stringify(complete, null, 1)}\n`);
  folder.write("report.html", renderReport([{ name: basename(options.output), report: complete }]));
  folder.commit();
  progress.end();
  const files = ["model.onnx", "model.encodings", "plan.json", "recipe.json", "report.html", "report.json"].filter(
    (f) => existsSync(join(options.output, f)),
  );
  const result = {
    output: options.output,
    files,
    ...(score ? { score } : {}),
    agreement: verification.agreement,
    latencyMs: verification.latencyMs,
    bytes: verification.bytes,
    seconds: complete.seconds,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
  if (options.json) io.out(`${JSON.stringify(result)}\n`);
  else io.out(summary(complete, options.output));
  const gates: Gate[] = [];
  if (options.maxDrop !== undefined && score) gates.push(dropGate(options.maxDrop, score.float, score.quantized));
  if (options.minAgreement !== undefined) gates.push(agreementGate(options.minAgreement, verification.agreement.float));
  exit(judgeGates(gates, io));
}

/** The recipe file with the options over it, the float model and the data recorded. */
async function recipeOf(path: string, options: QuantizeOptions): Promise<Recipe> {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new AvocetError("import/not-found", `expected a model file, there is no ${path}`, { at: path });
  }
  const base = (options.recipe ? readJson(options.recipe) : {}) as RecipeInput;
  const given = parseRecipe(base, options.recipe ?? "recipe");
  const preprocess = preprocessOf(options, given);
  const samples =
    options.samples === undefined
      ? {}
      : { samples: /^\d+$/.test(options.samples) ? Number(options.samples) : options.samples };
  const target =
    options.target === undefined
      ? {}
      : { target: existsSync(options.target) ? (readJson(options.target) as object) : options.target };
  const data = options.data ?? given.data;
  return parseRecipe(
    {
      ...base,
      ...target,
      ...samples,
      ...defined({ weights: options.weights, activations: options.activations, granularity: options.granularity }),
      ...defined({
        calibration: options.calibration,
        float: options.float,
        preset: options.preset,
        batch: options.batch,
        seed: options.seed,
      }),
      ...(preprocess ? { preprocess } : {}),
      ...(data ? { data } : {}),
      model: { path: resolve(path), sha256: await sha256(path) },
    },
    options.recipe ?? "the options",
  );
}

function defined(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

async function scoreOf(
  path: string,
  quantized: Quantized,
  options: QuantizeOptions,
  recipe: Recipe,
  runtime: Runtime,
  io: Io,
  progress: ProgressView,
): Promise<NonNullable<RunReport["score"]>> {
  const scores: number[] = [];
  let samples = 0;
  for (const file of [path, quantized.shipped.source!]) {
    const data = await openSamples(quantized.float, options.evaluate, recipe.preprocess, options.evaluateSamples);
    const metric = await openMetric(options, options.evaluate!, data);
    await using session = await runtime.open(file, options.threads ? { threads: options.threads } : {});
    const result = await evaluate(session, data, metric, {
      signal: io.signal,
      onProgress: progress.show,
      ...(options.batch ? { batch: options.batch } : {}),
    });
    scores.push(result.value);
    samples = result.samples;
  }
  return { metric: options.metric, float: scores[0]!, quantized: scores[1]!, samples };
}

function seconds(since: number): number {
  return (performance.now() - since) / 1000;
}

function summary(report: RunReport, output: string): string {
  const { score, agreement, bytes, latencyMs } = report;
  const row = (name: string, float: string, quantized: string) =>
    `  ${name.padEnd(12)}${float.padStart(12)}${quantized.padStart(12)}\n`;
  return [
    row("", "float", "quantized"),
    score ? row(score.metric, `${(100 * score.float).toFixed(2)} %`, `${(100 * score.quantized).toFixed(2)} %`) : "",
    agreement.float === null ? "" : row("agreement", "", `${(100 * agreement.float).toFixed(2)} %`),
    row("size", `${(bytes.float / 1e3).toFixed(0)} kB`, `${(bytes.quantized / 1e3).toFixed(0)} kB`),
    row("latency", `${latencyMs.float.toFixed(2)} ms`, `${latencyMs.quantized.toFixed(2)} ms`),
    `\n${settingsOf(report)}\n${join(output, "model.onnx")} ships; ${join(output, "report.html")} explains.  (avocet ${version})\n`,
  ].join("");
}
