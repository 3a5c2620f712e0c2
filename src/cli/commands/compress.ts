/** `avocet compress`: a float model in; a folder with a smaller float model, what each layer may lose, and a page that shows it out. */
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { weightChanges } from "../../analysis/inner.ts";
import { readSensitivities } from "../../analysis/inner-files.ts";
import { AvocetError } from "../../base/inner.ts";
import { expectApart } from "../../base/inner-node.ts";
import {
  type Compressed,
  type CompressionScheme,
  compressionSchemes,
  compressModel,
  compressToLatency,
  type LatencyTarget,
  type ModelScorer,
} from "../../compress/inner.ts";
import { alignLabels, type Dataset } from "../../data/inner.ts";
import { openLabels } from "../../data/inner-node.ts";
import { dataFilesOf, mainFileOf, openModel, writeModelFile } from "../../formats/inner-node.ts";
import type { Model } from "../../ir/inner.ts";
import {
  Candidate,
  fineTuneModel,
  type Judging,
  judgedOnOther,
  judgedOnOwn,
  localScorer,
  parseFineTuning,
  parseRecipe,
} from "../../recipe/inner.ts";
import { openOutputFolder } from "../../recipe/inner-node.ts";
import {
  arrivalNote,
  arrivesLittle,
  type CompressionReport,
  jsonNumbers,
  renderCompression,
} from "../../report/inner.ts";
import { openRuntime, type Runtime, type RuntimeName } from "../../runtime/inner.ts";
import { agreementDocument } from "../agreement-document.ts";
import { compressionFigures, gatedFigures, judgeCompressed, slowerKernels } from "../compression-judgement.ts";
import { compressionSummary } from "../compression-summary.ts";
import { placeOf } from "../data-place.ts";
import type { ExitCode } from "../exit.ts";
import { openGateRecord, type RecordOptions } from "../gate-record.ts";
import { type GateOptions, gatesOf } from "../gates.ts";
import { watchInputs } from "../input-watch.ts";
import { type DataOptions, inputsOf, openSamples, pathsRead, preprocessOf } from "../inputs.ts";
import type { Io } from "../io.ts";
import { openJudging } from "../judging.ts";
import type { Limit } from "../limit.ts";
import { classAxisOf, type JudgeOptions } from "../metric-options.ts";
import { modelBytes } from "../model-size.ts";
import { progressView } from "../progress.ts";
import { fineTuningOf } from "../recipe-options.ts";
import { figureRows } from "../summary.ts";
import { readJson, readTextFile } from "../text-file.ts";
import { expectFitting } from "../tolerance.ts";

export interface CompressCommandOptions extends DataOptions, JudgeOptions, GateOptions, RecordOptions {
  readonly output: string;
  readonly targetMacs?: number;
  readonly targetBytes?: number;
  readonly targetLatency?: Limit;
  readonly ratios?: string;
  readonly schemes?: string;
  readonly fit?: "moments" | "plain";
  readonly selection?: "moments" | "metric";
  readonly candidates?: number;
  readonly monotone?: boolean;
  readonly multiple?: number;
  readonly ignore?: readonly string[];
  readonly sensitivity?: string;
  readonly finetune?: string;
  readonly finetuneLabels?: string;
  readonly evaluate?: string;
  readonly evaluateSamples?: string;
  readonly seed?: number;
  readonly batch?: number;
  readonly threads?: number;
  readonly force?: boolean;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function compress(
  argument: string,
  options: CompressCommandOptions,
  io: Io,
  exit: (code: ExitCode) => void,
): Promise<void> {
  const path = mainFileOf(argument);
  const start = performance.now();
  const { targetMacs, targetBytes, targetLatency, ratios, sensitivity } = options;
  if ([targetMacs, targetBytes, targetLatency, ratios].filter((one) => one !== undefined).length !== 1) {
    throw new AvocetError(
      "usage/missing",
      "expected one of --target-macs, --target-bytes, --target-latency and --ratios",
      {
        at: "avocet compress",
        hint: "--target-macs 0.5 keeps half of the multiply-accumulates",
      },
    );
  }
  const judgedSpec = options.evaluate ?? (options.labels === undefined ? undefined : options.data);
  const files = [path, options.preprocess, ratios, sensitivity, options.classes, options.decode];
  const read = [options.data, options.evaluate, options.labels, options.finetuneLabels];
  const paths = await pathsRead(files, read);
  using folder = openOutputFolder(options.output, options.force === true, paths);
  const record = openGateRecord(options, paths, io);
  const model = await openModel(path);
  expectApart(options.output, dataFilesOf(model));
  const watch = await watchInputs([path, ...dataFilesOf(model)], read);
  const preprocess = preprocessOf(options);
  const recipe = parseRecipe({ ...(preprocess ? { preprocess } : {}), ...inputsOf(options) });
  const run = { ...options, signal: io.signal };
  const data =
    options.data === undefined && options.fit === "plain"
      ? null
      : await openSamples(model, options.data, preprocess, undefined, recipe, run);
  const judging = judgedSpec === undefined ? null : await openJudging(model, judgedSpec, options, recipe);
  if (options.maxDrop) {
    if (!judging) {
      throw new AvocetError(
        "usage/missing",
        "expected --evaluate DATA or --labels LABELS next to --max-drop, got none",
        {
          hint: "a drop needs a score",
        },
      );
    }
    const { name, unit } = judging.metric();
    expectFitting(options.maxDrop, { metric: name, unit });
  }
  if (options.minAgreement !== undefined && !data && !judging) {
    throw new AvocetError("usage/missing", "expected data next to --min-agreement, got none", {
      hint: "agreement is measured on --evaluate or --data",
    });
  }
  const runtime = await openRuntime(options.runtime, options);
  const progress = progressView(io, options.quiet === true);
  const tuning = await fineTuningFor(options, data);
  const work = {
    seed: options.seed,
    signal: io.signal,
    onProgress: progress.show,
    ...(options.threads ? { threads: options.threads } : {}),
  };
  const score = judging && scorerOf(judging, runtime, options, io);
  const asked = {
    ...(options.schemes === undefined ? {} : { schemes: schemesOf(options.schemes) }),
    ...(sensitivity === undefined ? {} : { sensitivities: readSensitivities(readTextFile(sensitivity), sensitivity) }),
    ...(score ? { scorer: score } : {}),
    ...given(options, [
      "fit",
      "selection",
      "candidates",
      "monotone",
      "multiple",
      "ignore",
      "samples",
      "seed",
      "batch",
      "threads",
    ]),
    signal: io.signal,
    onProgress: progress.show,
  };
  const made = targetLatency
    ? await compressToLatency(model, data, runtime, latencyTarget(targetLatency), asked)
    : await compressModel(model, data, runtime, {
        ...asked,
        ...(targetMacs === undefined ? {} : { target: { macs: targetMacs } }),
        ...(targetBytes === undefined ? {} : { target: { parameters: targetBytes } }),
        ...(ratios === undefined ? {} : { ratios: ratiosOf(ratios) }),
      });
  const tuned =
    tuning && data && (await fineTuneModel(made.model, data, runtime, { ...tuning, teacher: model, ...work }));
  await watch.expectUnchanged();
  const target = join(folder.staging, "model.onnx");
  const smaller = tuned?.model ?? made.model;
  smaller.source = target;
  const { byteLength } = await writeModelFile(smaller, target);
  const bytes = { before: modelBytes(path, model), after: byteLength };
  const used = data && {
    place: options.data === undefined ? undefined : placeOf(options.data),
    data,
    part: options.samples ?? 500,
    by: "calibration" as const,
  };
  const judged = judging
    ? judgedOnOther(judging.place, judging.data, used, judgedSamples)
    : used && judgedOnOwn(used, judgedSamples);
  const figures = await judgeCompressed(
    { model, file: path, bytes: bytes.before },
    { model: smaller, file: target, bytes: bytes.after },
    runtime,
    {
      judging,
      judged,
      classAxis: classAxisOf(options.classAxis),
      batch: options.batch,
      work: {
        ...(options.threads ? { threads: options.threads } : {}),
        signal: io.signal,
        onProgress: progress.show,
      },
    },
  );
  const notes = [...made.notes, ...(tuned ? tuned.report.notes.map((note) => `fine-tuned: ${note}`) : [])];
  const judgement = compressionFigures(figures);
  const timed = { cost: made.cost, latencyMs: judgement.latencyMs };
  const losses =
    judged && arrivesLittle(timed) ? await slowerKernels([path, target], runtime, judged, options.threads) : [];
  const latencyMs = timed.latencyMs && { ...timed.latencyMs, ...(losses.length > 0 && { losses }) };
  const arrival = arrivalNote({ ...timed, latencyMs });
  const report: CompressionReport = {
    name: basename(path),
    ...reportOf(made),
    notes: [...notes, ...(arrival === null ? [] : [arrival])],
    weightChanges: weightChanges(made.prepared, smaller),
    bytes,
    ...judgement,
    latencyMs,
  };
  folder.write("sensitivity.json", `${JSON.stringify(made.sensitivities, null, 1)}\n`);
  folder.write("report.html", renderCompression(report));
  folder.write("report.json", `${JSON.stringify(report, jsonNumbers, 1)}\n`);
  const written = readdirSync(folder.staging).sort();
  folder.commit();
  progress.end();
  const result = {
    output: options.output,
    files: written,
    ...(report.score ? { score: { ...report.score, quantized: report.score.compressed } } : {}),
    ...(report.agreement ? agreementDocument(report.agreement) : {}),
    samples: report.agreementSamples,
    outputs: report.outputs,
    latencyMs: report.latencyMs,
    warnings: report.warnings,
    cost: report.cost,
    bytes: report.bytes,
    layers: report.layers,
    refused: report.sensitivities.refused,
    notes: report.notes,
    seconds: {
      ...made.seconds,
      ...(tuned && { finetune: tuned.report.seconds }),
      total: (performance.now() - start) / 1000,
    },
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
  const said = options.json ? `${JSON.stringify(result, jsonNumbers)}\n` : compressionSummary(report, options.output);
  const gated = gatedFigures(figures, { float: bytes.before, quantized: bytes.after });
  const recorded = {
    command: "compress",
    name: basename(path),
    seconds: result.seconds.total,
    rows: figureRows(gated),
    warnings: figures.warnings,
  };
  exit(record.close(said, recorded, gatesOf(options, gated)));
}

/** What --finetune asks for; null: nothing. Throws `usage/missing`, `recipe/invalid`, `data/labels`. */
async function fineTuningFor({ finetune, finetuneLabels }: CompressCommandOptions, data: Dataset | null) {
  if (finetune === undefined) return null;
  if (!data) {
    throw new AvocetError("usage/missing", "expected --data DATA next to --finetune, got none", {
      hint: "a model is trained on samples",
    });
  }
  const training = parseFineTuning(fineTuningOf(finetune));
  const labels = finetuneLabels === undefined ? undefined : alignLabels(await openLabels(finetuneLabels), data);
  return { training, labels };
}

/** Samples on which the result is compared with float. */
const judgedSamples = 200;

function reportOf({ layers, sensitivities, cost, notes }: Compressed) {
  return { layers, sensitivities, cost, notes };
}

/** Those of the options that were given. */
function given<T extends object, K extends keyof T>(options: T, keys: readonly K[]): Pick<T, K> {
  const found = keys.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]);
  return Object.fromEntries(found) as Pick<T, K>;
}

function scorerOf(judging: Judging, runtime: Runtime, { batch, threads }: CompressCommandOptions, io: Io): ModelScorer {
  const { data, metric, labels } = judging;
  const scorer = localScorer({
    runtime,
    data,
    metric,
    ...(labels ? { labels } : {}),
    ...(batch ? { batch } : {}),
    ...(threads ? { threads } : {}),
    signal: io.signal,
  });
  const { name, unit, better } = metric();
  const plan = { version: 1, target: "float", entries: [], notQuantized: [] } as const;
  return {
    metric: { name, unit, better },
    async score(model: Model) {
      return (await scorer.score(new Candidate({ prepared: model, decided: model, plan }))).value;
    },
  };
}

function latencyTarget({ amount, of }: Limit): LatencyTarget {
  return of === "unit" ? { milliseconds: amount } : { latency: amount };
}

function ratiosOf(file: string): Record<string, number> {
  const found = readJson(file);
  const isMap = typeof found === "object" && found !== null && !Array.isArray(found);
  if (isMap && Object.values(found).every((value) => typeof value === "number")) return found as Record<string, number>;
  throw new AvocetError("usage/bad-value", "expected an object of ratios by layer", {
    at: file,
    hint: '{ "layer1.conv1": 0.5 } keeps half of what that layer costs',
  });
}

function schemesOf(text: string): CompressionScheme[] {
  return text.split(",").map((one) => {
    const name = one.trim();
    const known = compressionSchemes.find((scheme) => scheme === name);
    if (known) return known;
    throw new AvocetError("usage/bad-value", `expected schemes, got "${name}"`, {
      at: "--schemes",
      hint: compressionSchemes.join(", "),
    });
  });
}
