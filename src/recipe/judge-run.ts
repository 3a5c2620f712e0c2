/** Judges what a run has made. What cannot be judged is a line in the figures; nothing here takes a result away. */
import {
  attempt,
  type ClassAxis,
  clippedShares,
  compareValues,
  type Profiler,
  type Similarity,
  type Unjudged,
  type Verification,
  type VerifiedFile,
  verify,
} from "../analysis/inner.ts";
import type { Work } from "../base/inner.ts";
import { samples } from "../data/inner.ts";
import { counterparts, type KernelFinding } from "../quant/inner.ts";
import type { RunReport, ScoreReport } from "../report/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import type { JudgedData } from "./judged-data.ts";
import type { Quantized } from "./quantized.ts";
import { clippingRanges, comparedValues } from "./report-values.ts";
import { type Judging, scoreOf } from "./score.ts";

/** What was measured. */
export interface Figures {
  readonly verification: Verification;
  readonly unjudged: readonly Unjudged[];
  readonly score: ScoreReport | null;
  readonly judgedOn: RunReport["judgedOn"];
  readonly kernels: readonly KernelFinding[];
  readonly similarity: readonly Similarity[];
  /** Value name → share of its numbers that are clipped, for the values whose range does not hold all. */
  readonly clipped: ReadonlyMap<string, number>;
}

export interface JudgeParts {
  readonly quantized: Quantized;
  readonly runtime: Runtime;
  readonly float: VerifiedFile;
  readonly shipped: Omit<VerifiedFile, "model">;
  readonly judging: Judging | null;
  readonly work: Work & { readonly threads?: number };
  readonly batch?: number | undefined;
  readonly kernels:
    | ((file: VerifiedFile["file"], quantized: Quantized) => Promise<readonly KernelFinding[]>)
    | undefined;
  readonly profile: Profiler | undefined;
}

/** What a run is judged on, and what its outputs are. */
export interface Judgement {
  /** Null: there is nothing to run the models on. */
  readonly judged: JudgedData | null;
  readonly classAxis: ClassAxis | undefined;
  /** The user wants agreement, or has labels of classes. */
  readonly classes: boolean;
}

/** Samples behind the SQNR of every value: it is an average over all their elements, so few suffice. */
const similaritySamples = 16;

/** Before anything was judged. */
export function unjudged(runtime: Runtime, bytes: Verification["bytes"]): Figures {
  return {
    verification: notVerified(runtime, bytes),
    unjudged: [{ what: "anything", reason: "the command ended before" }],
    score: null,
    judgedOn: null,
    kernels: [],
    similarity: [],
    clipped: new Map(),
  };
}

/** Runs everything that judges. Throws `abort/interrupted` alone. */
export async function judgeRun(parts: JudgeParts, { judged, classAxis, classes }: Judgement): Promise<Figures> {
  const { quantized, runtime, work, float, judging, batch } = parts;
  const { prepared, shipped } = quantized;
  const lines: Unjudged[] = [];
  const files = [float.file, parts.shipped.file] as const;
  const score = judging
    ? await attempt("the score", lines, () => scoreOf(files, shipped, judging, runtime, { ...work, batch }))
    : undefined;
  const readKernels = parts.kernels;
  const kernels = readKernels && (await attempt("kernels", lines, () => readKernels(parts.shipped.file, quantized)));
  if (!readKernels) lines.push({ what: "kernels", reason: "nothing here reads the graph that the runtime makes" });
  const bytes = { float: float.bytes, quantized: parts.shipped.bytes };
  const figures = { ...unjudged(runtime, bytes), unjudged: lines, score: score ?? null, kernels: kernels ?? [] };
  if (!judged) {
    lines.push({ what: "outputs, agreement and latency", reason: "there is no data to run the result on" });
    return figures;
  }
  const checked = await attempt("the shipped file in a stock session", lines, () =>
    verify({ model: shipped, ...parts.shipped }, float, runtime, judged.data, {
      ...work,
      classAxis,
      classes,
      profile: parts.profile,
    }),
  );
  const compared = samples(judged.data, similaritySamples);
  const similarity = await attempt("signal and noise of values", lines, () =>
    compareValues(
      prepared,
      shipped,
      counterparts(comparedValues(quantized), quantized.lowered),
      runtime,
      compared,
      work,
    ),
  );
  const clipped = await attempt("clipping", lines, () =>
    clippedShares(prepared, clippingRanges(quantized), runtime, compared, work),
  );
  const verification = checked ?? figures.verification;
  return {
    ...figures,
    verification: judged.on.data === "noise" ? withoutDecisions(verification) : verification,
    judgedOn: { ...judged.on, samples: verification.samples },
    similarity: similarity ?? [],
    clipped: clipped ?? new Map(),
  };
}

/** Sizes alone. */
function notVerified(runtime: Runtime, bytes: Verification["bytes"]): Verification {
  return {
    runtime: runtime.name,
    runtimeVersion: runtime.version,
    samples: 0,
    agreement: { simulation: null, float: null, of: null, interval: null, choices: null, why: ["it was not judged"] },
    ties: null,
    outputs: [],
    latencyMs: null,
    bytes,
    differences: [],
    unjudged: [],
  };
}

/** What a model decides on noise says nothing. */
function withoutDecisions(verification: Verification): Verification {
  const none = { simulation: null, float: null, of: null, interval: null, choices: null };
  return { ...verification, agreement: { ...none, why: ["decisions on noise say nothing"] }, ties: null };
}
