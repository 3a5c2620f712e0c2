/**
 * A run: a float model, data and a recipe in; the quantized model and what it is worth out. It needs no disk: what opens and writes files
 * stands outside and hands in what only it can do.
 */

import type { Profiler } from "../analysis/inner.ts";
import { AvocetError, type Checkpoint, expectArguments, type Work } from "../base/inner.ts";
import { type Dataset, type Labels, samples } from "../data/inner.ts";
import { writeModel } from "../formats/inner.ts";
import type { Model } from "../ir/inner.ts";
import type { KernelFinding, Statistics } from "../quant/inner.ts";
import type { Environment, RunReport } from "../report/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { buildReport } from "./build-report.ts";
import { type Figures, judgeRun, unjudged } from "./judge-run.ts";
import { judgedDataOf, type UsedData } from "./judged-data.ts";
import { isDataFree } from "./presets.ts";
import { quantizeModel } from "./quantize.ts";
import type { Quantized } from "./quantized.ts";
import type { Recipe } from "./schema.ts";
import type { Judging } from "./score.ts";
import { settingsOf } from "./settings.ts";
import { type TrainOptions, trainModel } from "./train.ts";

/** A model, and the file that a stock session opens. */
export interface RunFile {
  /** The path of the file, or what is in it. */
  readonly file: string | Uint8Array;
  /** With the files of its weights. */
  readonly bytes: number;
}

export interface RunRequest extends Work {
  /** What the report calls the model. */
  readonly name: string;
  /** The float model as it was read. Default of its file: what `writeModel` makes of it. */
  readonly source: { readonly model: Model } & Partial<RunFile>;
  /** What calibrates, or trains; null: none, for recipes that need none. */
  readonly data: Dataset | null;
  /** Where that data lies: judged samples of the same place that the run used are counted. */
  readonly place?: string | undefined;
  readonly recipe: Recipe;
  readonly runtime: Runtime;
  /** Present: the model is trained behind its quantizers, on all of the data. */
  readonly training?: Pick<TrainOptions, "labels" | "teacher" | "onEpoch"> & { readonly labels?: Labels | undefined };
  /** Labelled data on which source and shipped file are scored. */
  readonly judging?: Judging | null;
  readonly judgement?: JudgementOptions;
  readonly threads?: number;
  readonly batch?: number;
  readonly checkpoint?: Checkpoint;
  /** What ranges are found from, in the place of data. */
  readonly statistics?: Statistics;
  /** What the report says of the machine. */
  readonly about?: { readonly avocet: string; readonly environment: Environment | null };
  /**
   * Called when the model is made and nothing is judged, so that no judge can lose it. `before` is the run as it stands then, once the
   * shipped file has so many bytes. Returns where that file lies. Default: it stays in memory.
   */
  readonly made?: (quantized: Quantized, before: (bytes: number) => Run) => Promise<RunFile>;
}

export interface JudgementOptions {
  /** Where outputs hold classes. Default: as the graph says. */
  readonly classAxis?: Parameters<typeof judgeRun>[1]["classAxis"];
  /** The user has said that outputs are classes. Default: whether there are labels that judge. */
  readonly classes?: boolean;
  /** Reads which layers of the shipped file the runtime runs as integer kernels. Absent: nobody can, and the report says so. */
  readonly kernels?: (file: string | Uint8Array, quantized: Quantized) => Promise<readonly KernelFinding[]>;
  /** Tells what operators took, where the shipped file is slower than float. Absent: the report says no more than that. */
  readonly profile?: Profiler | undefined;
}

/** What was asked for, what was made of it, and what that is worth: all that a report follows from. */
export interface Run {
  readonly name: string;
  readonly recipe: Recipe;
  readonly quantized: Quantized;
  readonly figures: Figures;
  /** Samples that calibration used; null where it used none. */
  readonly calibrated: number | null;
  readonly about: NonNullable<RunRequest["about"]>;
  /** Of the stages; `total` is their sum. */
  readonly seconds: Readonly<Record<"prepare" | "calibrate" | "methods" | "write" | "judge" | "total", number>>;
}

/**
 * Quantizes (or trains), and judges the result on labelled data, on samples that calibration did not see, or on noise. What cannot be
 * judged is a line in the figures; only what makes the model throws: see `quantizeModel` and `trainModel`.
 *
 * @example
 * const made = await run({ name: "net", source: { model }, data, recipe: parseRecipe({}), runtime: await openRuntime() });
 * const html = renderReport([{ name: "net", report: report(made) }]);
 */
export async function run(request: RunRequest): Promise<Run> {
  expectArguments("run(request)", { request: [request, "object"] });
  const { name, source, data, recipe, runtime, judging = null, judgement = {} } = request;
  expectArguments("run(request)", {
    name: [name, "text"],
    source: [source, "object"],
    "source.model": [source?.model, "model"],
    ...(data !== null && { data: [data, "dataset"] }),
    recipe: [recipe, "recipe"],
    runtime: [runtime, "runtime"],
  });
  const about = request.about ?? { avocet: "", environment: null };
  const quantized = await makeOf(request);
  const begin = performance.now();
  const since = () => (performance.now() - begin) / 1000;
  const used: UsedData | null =
    data && (request.training || !isDataFree(recipe))
      ? { place: request.place, data, part: recipe.samples, by: request.training ? "training" : "calibration" }
      : null;
  const calibrated = used ? samples(used.data, used.part).count : null;
  const float = { model: source.model, ...fileOf(source) };
  const at = (figures: Figures, [write, judge]: readonly [number, number]): Run => {
    const { prepare, calibrate, methods } = quantized.seconds;
    const total = prepare + calibrate + methods + write + judge;
    const seconds = { prepare, calibrate, methods, write, judge, total };
    return { name, recipe, quantized, figures, calibrated, about, seconds };
  };
  const before = (bytes: number) => at(unjudged(runtime, { float: float.bytes, quantized: bytes }), [since(), 0]);
  const shipped = request.made ? await request.made(quantized, before) : fileOf({ model: quantized.shipped });
  const write = since();
  const figures = await judgeRun(
    {
      quantized,
      runtime,
      float,
      shipped,
      judging,
      work: workOf(request),
      batch: request.batch,
      kernels: judgement.kernels,
      profile: judgement.profile,
    },
    {
      judged: judgedDataOf({ judging, data, used, quantized, recipe }),
      classAxis: judgement.classAxis,
      classes: judgement.classes ?? judging !== null,
    },
  );
  return at(figures, [write, since() - write]);
}

/** What a run says, as data: pure, and the same in Node and in a browser's tab. */
export function report(run: Run): RunReport {
  const { name, about, quantized, figures, recipe, calibrated, seconds } = run;
  const { environment, avocet } = about;
  const settings = settingsOf({ quantized, recipe, calibrated, judgedOn: figures.judgedOn });
  return { ...buildReport({ name, avocet, environment, quantized, settings, ...figures }), seconds };
}

async function makeOf(request: RunRequest): Promise<Quantized> {
  const { source, data, recipe, runtime, training, checkpoint, statistics } = request;
  const work = { ...workOf(request), ...(checkpoint && { checkpoint }), ...(statistics && { statistics }) };
  if (training && !data) {
    throw new AvocetError("data/none", "expected data to train on, got none", { at: request.name });
  }
  if (!training || !data) return quantizeModel(source.model, data, recipe, runtime, work);
  return trainModel(source.model, data, recipe, runtime, { ...work, ...training });
}

function workOf({ signal, onProgress, threads }: RunRequest): Work & { readonly threads?: number } {
  return { signal, onProgress, ...(threads === undefined ? {} : { threads }) };
}

/** The file that was given, or the bytes that a program would write. */
function fileOf({ model, file, bytes }: { readonly model: Model } & Partial<RunFile>): RunFile {
  if (file !== undefined) return { file, bytes: bytes ?? (typeof file === "string" ? 0 : file.byteLength) };
  const written = writeModel(model);
  return { file: written, bytes: written.byteLength };
}
