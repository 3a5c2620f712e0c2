/** `avocet verify`: the written file on the runtime that will run it, against its simulation and against float. */
import { basename, join } from "node:path";
import { attempt, verify as check, type Unjudged, type Verification } from "../../analysis/inner.ts";
import { AvocetError } from "../../base/inner.ts";
import type { Dataset } from "../../data/inner.ts";
import { randomNodes, trainingForm, trainingNodes } from "../../passes/inner.ts";
import { type KernelFinding, readShipped, roundedInputs } from "../../quant/inner.ts";
import { planFromJson } from "../../quant/inner-files.ts";
import { isDataFree, type JudgedData, type Judging, judgedOnOther, judgedOnOwn, scoreOf } from "../../recipe/inner.ts";
import {
  decibels,
  decisions,
  figure,
  jsonNumbers,
  percent,
  roundingWarnings,
  type ScoreReport,
  voidsScore,
  type Warning,
  warningsOf,
} from "../../report/inner.ts";
import { openRuntime, type RuntimeName } from "../../runtime/inner.ts";
import { agreementDocument } from "../agreement-document.ts";
import { placeOf } from "../data-place.ts";
import type { ExitCode } from "../exit.ts";
import { openGateRecord, type RecordOptions } from "../gate-record.ts";
import { type GateOptions, gatesOf } from "../gates.ts";
import {
  type DataOptions,
  inputsOf,
  type ModelArgument,
  openArgument,
  openFloatModel,
  openSamples,
  preprocessOf,
} from "../inputs.ts";
import type { Io } from "../io.ts";
import { profilerOf } from "../kernel-times.ts";
import { kernelsOf } from "../kernels.ts";
import { classAxisOf, type JudgeOptions, openMetric } from "../metric-options.ts";
import { modelBytes } from "../model-size.ts";
import { progressView } from "../progress.ts";
import { scoreDocument } from "../score-document.ts";
import { figureRows } from "../summary.ts";
import { readTextFile } from "../text-file.ts";
import { expectFitting } from "../tolerance.ts";

export interface VerifyOptions extends DataOptions, Omit<JudgeOptions, "metric">, GateOptions, RecordOptions {
  readonly floatModel?: string;
  /** Given, or with labels: float and quantized are scored, too. */
  readonly metric?: string;
  readonly batch?: number;
  readonly threads?: number;
  readonly runtime: RuntimeName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function verify(
  dir: string,
  options: VerifyOptions,
  io: Io,
  exit: (code: ExitCode) => void,
): Promise<void> {
  const start = performance.now();
  const shipped = await openArgument(dir);
  const record = openGateRecord(options, [dir], io);
  const float = await openFloatModel(shipped, options.floatModel);
  const classAxis = classAxisOf(options.classAxis ?? shipped.recipe?.classAxis);
  const judged = await judgedData(shipped, float, options, io);
  const judging = await judgingOf(shipped, float, options, judged.data);
  const runtime = await openRuntime(options.runtime, options);
  const progress = progressView(io, options.quiet === true);
  const result = await check(
    { model: shipped.model, file: shipped.path, bytes: modelBytes(shipped.path, shipped.model) },
    { model: float.model, file: float.path, bytes: modelBytes(float.path, float.model) },
    runtime,
    judged.data,
    {
      signal: io.signal,
      onProgress: progress.show,
      classAxis,
      classes: options.minAgreement !== undefined,
      profile: profilerOf(runtime),
      ...(options.batch ? { batch: options.batch } : {}),
      ...(options.threads ? { threads: options.threads } : {}),
    },
  );
  const unjudged: Unjudged[] = [...result.unjudged];
  const planPath = join(dir, "plan.json");
  const kernels =
    (await attempt("kernels", unjudged, async () =>
      kernelsOf(shipped.path, readShipped(shipped.model), planFromJson(readTextFile(planPath), planPath), runtime),
    )) ?? [];
  const score = judging
    ? await attempt("score", unjudged, () =>
        scoreOf([float.path, shipped.path], shipped.model, judging, runtime, {
          signal: io.signal,
          onProgress: progress.show,
          batch: options.batch,
          ...(options.threads ? { threads: options.threads } : {}),
        }),
      )
    : null;
  progress.end();
  const integerKernels = kernels.filter((k) => k.integer).length;
  const floatKernels = kernels.filter((k) => !k.integer).map(({ node, reason }) => ({ node, reason }));
  const judgedOn = { ...judged.on, samples: result.samples };
  const rounded = options.runtime === "ort-node" ? roundedInputs(shipped.model) : [];
  const judgedWarnings = warningsOf({
    ...result,
    score: score ?? null,
    outputs: result.outputs.map(({ name, sqnr }) => ({
      name,
      sqnr: sqnr.float ?? Number.POSITIVE_INFINITY,
      cosine: 1,
    })),
    agreementSamples: result.samples,
    judgedOn,
    unjudged,
    kernels: { integer: integerKernels, float: floatKernels.map(({ node, reason = "" }) => ({ node, reason })) },
    model: { parameters: 0, quantized: null },
    random: randomNodes(shipped.model).map((node) => `${node}`),
    training: [...trainingNodes(float.model), ...trainingNodes(shipped.model)].map(
      (node) => `${node}: ${trainingForm}`,
    ),
  });
  const warnings = [...judgedWarnings, ...roundingWarnings(rounded)];
  const document = {
    ...result,
    ...(score ? { score: scoreDocument(score) } : {}),
    ...agreementDocument(result.agreement),
    unjudged,
    judgedOn,
    integerKernels,
    floatKernels,
    warnings,
  };
  const said = options.json
    ? `${JSON.stringify(document, jsonNumbers)}\n`
    : text(result, kernels, warnings, score ?? null);
  const figures = { ...result, score: score ?? null };
  const recorded = {
    command: "verify",
    name: basename(dir),
    seconds: (performance.now() - start) / 1000,
    rows: figureRows(figures),
    warnings,
  };
  exit(record.close(said, recorded, gatesOf(options, { ...figures, worthless: warnings.find(voidsScore)?.text })));
}

/** What --metric and --labels ask for, on the judged samples; null where neither was given. Throws `usage/missing`, `data/labels`. */
async function judgingOf(
  { recipe }: ModelArgument,
  float: ModelArgument,
  options: VerifyOptions,
  data: Dataset,
): Promise<Judging | null> {
  const { metric, labels, maxDrop } = options;
  if (metric === undefined && labels === undefined) {
    if (maxDrop === undefined) return null;
    throw new AvocetError("usage/missing", "expected --metric NAME or --labels LABELS next to --max-drop, got none", {
      hint: "a drop needs a score",
    });
  }
  const judged = { ...options, metric: metric ?? "top1", classAxis: options.classAxis ?? recipe?.classAxis };
  const opened = await openMetric(judged, (options.data ?? recipe?.data)!, data, float.model);
  const { name, unit } = opened.make();
  if (maxDrop) expectFitting(maxDrop, { metric: name, unit });
  return { data, metric: opened.make, labels: opened.labels, namedClasses: opened.namedClasses };
}

/** Samples of --data, else those of the recipe's data that it did not calibrate on. */
async function judgedData(
  { recipe }: ModelArgument,
  float: ModelArgument,
  options: VerifyOptions,
  io: Io,
): Promise<JudgedData> {
  const preprocess = preprocessOf(options, recipe);
  const open = (spec: string | undefined): Promise<Dataset> =>
    openSamples(float.model, spec, preprocess, undefined, inputsOf(options, recipe), { ...options, signal: io.signal });
  const spec = options.data ?? recipe?.data;
  const calibrating = recipe && !isDataFree(recipe) && recipe.data !== undefined ? recipe.data : undefined;
  const data = await open(spec);
  const most = options.samples ?? 500;
  const place = spec === undefined ? undefined : placeOf(spec);
  if (calibrating === undefined) return judgedOnOther(place, data, null, most);
  const whole = options.data === undefined ? data : await open(calibrating).catch(() => null);
  if (!whole) return judgedOnOther(place, data, null, most);
  const used = { place: placeOf(calibrating), data: whole, part: recipe!.samples, by: "calibration" as const };
  return options.data === undefined ? judgedOnOwn(used, most) : judgedOnOther(place, data, used, most);
}

function text(
  v: Verification,
  kernels: readonly KernelFinding[],
  warnings: readonly Warning[],
  score: ScoreReport | null,
): string {
  const { agreement, latencyMs } = v;
  const float = kernels.filter((k) => !k.integer);
  const range = agreement.interval
    ? ` (95 % interval ${agreement.interval.map((end) => percent(end)).join(" to ")})`
    : "";
  const share = (x: number | null) => (x === null ? "not judged" : percent(x));
  const lines = [
    `${v.runtime} ${v.runtimeVersion}, ${v.samples} samples`,
    agreement.float === null && agreement.simulation === null
      ? `no share of equal decisions: ${agreement.why.join("; ") || "no output holds classes"}`
      : `the stock session decides like the simulation: ${share(agreement.simulation)}, like float: ${share(agreement.float)}${range}, of ${decisions(agreement.of, v.samples)}`,
    ...(score
      ? [
          `score    ${score.metric}: float ${figure(score.float, score.unit)}, quantized ${figure(score.quantized, score.unit)}`,
        ]
      : []),
    ...v.outputs.map(({ name, sqnr, equal }) => {
      const of = (side: "simulation" | "float") =>
        equal[side] !== null
          ? `${percent(equal[side]!)} equal`
          : sqnr[side] !== null
            ? decibels(sqnr[side]!)
            : "not judged";
      return `output   ${name}: against the simulation ${of("simulation")}, against float ${of("float")}`;
    }),
    latencyMs
      ? `latency  float ${latencyMs.float.toFixed(2)} ms, quantized ${latencyMs.quantized.toFixed(2)} ms`
      : "latency  not measured",
    `size     float ${v.bytes.float} bytes, quantized ${v.bytes.quantized} bytes`,
    `kernels  ${kernels.length - float.length} integer, ${float.length} float`,
    ...(v.ties ? [`ties     ${percent(v.ties)} of the decisions fall between equal scores`] : []),
    ...float.map((k) => `  float: ${k.node}: ${k.reason}`),
    ...v.differences
      .slice(0, 20)
      .map(
        (d) =>
          `  differs: ${d.layer}: ${(100 * d.differing).toFixed(3)} % of its integers, at most ${d.maxSteps} steps`,
      ),
    ...warnings.map(({ text }) => `warning: ${text}`),
  ];
  return `${lines.join("\n")}\n`;
}
