/** Judges what is written, and puts the figures together. What cannot be judged is told; nothing here takes a result away. */
import { availableParallelism, cpus } from "node:os";
import {
  attempt,
  type ClassAxis,
  clippedShares,
  compareValues,
  type Unjudged,
  type Verification,
  verify,
} from "../analysis/index.ts";
import type { Work } from "../base/index.ts";
import { samples } from "../data/index.ts";
import type { Model } from "../ir/index.ts";
import { counterparts, gridName } from "../quant/index.ts";
import {
  buildReport,
  clippingRanges,
  comparedValues,
  isDataFree,
  type Quantized,
  type Recipe,
} from "../recipe/index.ts";
import type { RunReport, ScoreReport } from "../report/index.ts";
import type { Runtime } from "../runtime/index.ts";
import type { JudgedData } from "./judged-data.ts";
import { kernelsOf } from "./kernels.ts";
import { modelBytes } from "./model-size.ts";
import { version } from "./version.ts";

export interface RunParts {
  readonly name: string;
  readonly command: readonly string[];
  readonly quantized: Quantized;
  readonly recipe: Recipe;
  /** Samples that calibration used; null where it used none. */
  readonly calibrated: number | null;
  readonly runtime: Runtime;
  readonly float: { readonly model: Model; readonly path: string };
  readonly shipped: { readonly path: string; readonly bytes: number };
  readonly work: Work & { readonly threads?: number; readonly batch?: number };
}

/** What a run is judged on and by. */
export interface Judgement {
  /** Null: there is nothing to run the models on. */
  readonly judged: JudgedData | null;
  readonly score: () => Promise<ScoreReport | null>;
  readonly classAxis: ClassAxis | undefined;
  /** The user wants agreement, or has labels of classes. */
  readonly classes: boolean;
}

type Draft = Omit<RunReport, "seconds">;

/** Samples behind the SQNR of every value: it is an average over all their elements, so few suffice. */
const similaritySamples = 16;

/** The report of a run that was not judged: it stands in the folder until the other one is there. */
export function unjudgedReport(parts: RunParts): Draft {
  return reportOf(parts, {
    verification: notVerified(parts, []),
    unjudged: [{ what: "anything", reason: "the command ended before" }],
  });
}

/** Runs everything that judges. Throws `abort/interrupted` alone. */
export async function judgedReport(parts: RunParts, judgement: Judgement): Promise<Draft> {
  const { quantized, runtime, work, float } = parts;
  const { judged, classAxis, classes } = judgement;
  const shipped = quantized.shipped;
  const unjudged: Unjudged[] = [];
  const score = (await attempt("the score", unjudged, judgement.score)) ?? null;
  const kernels =
    (await attempt("kernels", unjudged, () => kernelsOf(parts.shipped.path, quantized.plan, runtime))) ?? [];
  if (!judged) {
    unjudged.push({ what: "outputs, agreement and latency", reason: "there is no data to run the result on" });
    return reportOf(parts, { verification: notVerified(parts, []), unjudged, score, kernels });
  }
  const files = [
    { model: shipped, ...parts.shipped },
    { ...float, bytes: modelBytes(float.path, float.model) },
  ] as const;
  const checked = await attempt("the shipped file in a stock session", unjudged, () =>
    verify(...files, runtime, judged.data, { ...work, classAxis, classes }),
  );
  const compared = samples(judged.data, similaritySamples);
  const similarity = await attempt("signal and noise of values", unjudged, () =>
    compareValues(
      quantized.prepared,
      shipped,
      counterparts(comparedValues(quantized), shipped),
      runtime,
      compared,
      work,
    ),
  );
  const clipped = await attempt("clipping", unjudged, () =>
    clippedShares(quantized.prepared, clippingRanges(quantized), runtime, compared, work),
  );
  const verification = checked ?? notVerified(parts, []);
  return reportOf(parts, {
    verification: judged.on.data === "noise" ? withoutDecisions(verification) : verification,
    unjudged,
    score,
    kernels,
    judgedOn: { ...judged.on, samples: verification.samples },
    similarity: similarity ?? [],
    clipped: clipped ?? new Map(),
  });
}

interface Figures {
  readonly verification: Verification;
  readonly unjudged: readonly Unjudged[];
  readonly score?: ScoreReport | null;
  readonly judgedOn?: RunReport["judgedOn"];
  readonly kernels?: Awaited<ReturnType<typeof kernelsOf>>;
  readonly similarity?: RunReport["outputs"];
  readonly clipped?: ReadonlyMap<string, number>;
}

function reportOf(parts: RunParts, figures: Figures): Draft {
  const { score = null, judgedOn = null, kernels = [], similarity = [], clipped = new Map() } = figures;
  return buildReport({
    name: parts.name,
    avocet: version,
    environment: environmentOf(parts),
    quantized: parts.quantized,
    settings: recipeSettings(parts, judgedOn),
    score,
    judgedOn,
    verification: figures.verification,
    unjudged: figures.unjudged,
    kernels,
    similarity,
    clipped,
  });
}

/** Sizes alone. */
function notVerified({ runtime, float, shipped }: RunParts, unjudged: readonly Unjudged[]): Verification {
  return {
    runtime: runtime.name,
    runtimeVersion: runtime.version,
    samples: 0,
    agreement: { simulation: null, float: null, of: null, interval: null, choices: null, why: ["it was not judged"] },
    ties: null,
    outputs: [],
    latencyMs: null,
    bytes: { float: modelBytes(float.path, float.model), quantized: shipped.bytes },
    differences: [],
    unjudged,
  };
}

/** What a model decides on noise says nothing. */
function withoutDecisions(verification: Verification): Verification {
  const none = { simulation: null, float: null, of: null, interval: null, choices: null };
  return { ...verification, agreement: { ...none, why: ["decisions on noise say nothing"] }, ties: null };
}

function environmentOf({ command, runtime, work }: RunParts): NonNullable<RunReport["environment"]> {
  const { versions, platform, arch } = process;
  return {
    command,
    date: new Date().toISOString(),
    cpu: `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${availableParallelism()} available`,
    threads: work.threads ?? null,
    versions: { Node: versions.node, [runtime.name]: runtime.version, [platform]: arch },
  };
}

/** What a reader of a report wants to know of the recipe, in words. */
function recipeSettings(
  { recipe, quantized, calibrated }: RunParts,
  judgedOn: RunReport["judgedOn"],
): Record<string, string> {
  const weight = quantized.plan.entries.find((e) => e.kind === "weight");
  const activation = quantized.plan.entries.find((e) => e.kind === "activation");
  return {
    target: quantized.plan.target,
    weights: weight ? `${gridName(weight.grid)} per ${weight.granularity.kind}` : "float",
    activations: activation ? gridName(activation.grid) : "float",
    ...(isDataFree(recipe)
      ? { calibration: "none: ranges from batch norms" }
      : { calibration: recipe.calibration, samples: String(calibrated ?? recipe.samples) }),
    ...(recipe.methods ? { methods: recipe.methods.map((step) => step.method).join(" ") } : { preset: recipe.preset }),
    ...("before" in quantized ? { training: `${recipe.training?.epochs ?? 4} epochs` } : {}),
    ...(judgedOn?.data === "noise" ? { compared: "on noise, no data was given" } : {}),
    ...(recipe.float.length > 0 ? { float: recipe.float.join(" ") } : {}),
  };
}
