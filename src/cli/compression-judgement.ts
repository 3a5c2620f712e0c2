/** What `avocet compress` made, held against the float model on samples: scores, equal decisions, outputs, milliseconds, warnings. */
import {
  attempt,
  type ClassAxis,
  type KernelLoss,
  kernelLosses,
  type Unjudged,
  type Verification,
  verify,
} from "../analysis/inner.ts";
import type { Work } from "../base/inner.ts";
import { type JudgedData, type Judging, scoreOf } from "../recipe/inner.ts";
import {
  change,
  lossBounds,
  percent,
  type ScoreReport,
  scoreLoss,
  voidsScore,
  type Warning,
  warningsOf,
} from "../report/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import type { GatedFigures } from "./gates.ts";
import { profilerOf } from "./kernel-times.ts";

type Side = Parameters<typeof verify>[0];

export interface CompressionFigures {
  readonly score: ScoreReport | null;
  /** Null: there was no data to run them on. */
  readonly verification: Verification | null;
  readonly warnings: readonly Warning[];
}

export interface CompressionJudgement {
  readonly judging: Judging | null;
  /** Null: there is nothing to run the models on. */
  readonly judged: JudgedData | null;
  readonly classAxis: ClassAxis | undefined;
  readonly work: Work & { readonly threads?: number };
  readonly batch?: number | undefined;
}

/** Judges the written file. What cannot be judged is a warning; throws `abort/interrupted` alone. */
export async function judgeCompressed(
  float: Side,
  made: Side,
  runtime: Runtime,
  { judging, judged, classAxis, work, batch }: CompressionJudgement,
): Promise<CompressionFigures> {
  const unjudged: Unjudged[] = [];
  const score = judging
    ? await attempt("the score", unjudged, () =>
        scoreOf([float.file, made.file], made.model, judging, runtime, { ...work, batch }),
      )
    : null;
  const options = { ...work, classAxis, classes: judging !== null };
  const verification = judged
    ? await attempt("the compressed file", unjudged, () => verify(made, float, runtime, judged.data, options))
    : null;
  if (!judged)
    unjudged.push({ what: "outputs, agreement and latency", reason: "there is no data to run the result on" });
  const figures = { score: score ?? null, verification: verification ?? null };
  const bytes = { float: float.bytes, quantized: made.bytes };
  const found = warningsOf({
    score: figures.score,
    unjudged: [...unjudged, ...(verification?.unjudged ?? [])],
    outputs: [],
    agreement: verification?.agreement ?? nothing,
    agreementSamples: verification?.samples ?? 0,
    judgedOn: judged && verification ? { ...judged.on, samples: verification.samples } : null,
    bytes,
    latencyMs: verification?.latencyMs ?? null,
    kernels: { integer: 0, float: [] },
    model: { parameters: 0, quantized: null },
  });
  return { ...figures, warnings: [...farOff(figures), ...found] };
}

const nothing = { simulation: null, float: null, of: null, interval: null, choices: null, why: [] };

/** The operators that take longer than before, the largest loss first; none where the runtime does not tell. */
export async function slowerKernels(
  [before, after]: readonly [string, string],
  runtime: Runtime,
  { data }: JudgedData,
  threads: number | undefined,
): Promise<readonly KernelLoss[]> {
  const profile = profilerOf(runtime);
  const losses =
    profile &&
    (await attempt("which kernels take longer", [], async () => {
      const options = threads ? { threads } : {};
      for await (const { feeds } of data.batches(1))
        return kernelLosses(await profile(before, feeds, options), await profile(after, feeds, options));
      return [];
    }));
  return losses ?? [];
}

/** Outputs below it have an error of a tenth of their size. */
const fewDecibels = 20;

/** By the score, else by decisions, else by outputs: whether what was made is much worse than float. */
function farOff({ score, verification }: Omit<CompressionFigures, "warnings">): Warning[] {
  const warn = (what: string): Warning[] => [
    { kind: "far-off", text: `${what}: training gets much of it back (avocet train --teacher), or keep more` },
  ];
  if (score) {
    const lost = scoreLoss(score);
    return lost > lossBounds(score).bad ? warn(`much worse than float, by ${change(lost, score)}`) : [];
  }
  if (!verification) return [];
  const { agreement, outputs } = verification;
  if (agreement.float !== null) {
    return agreement.float < 0.95 ? warn(`another decision than float on ${percent(1 - agreement.float)}`) : [];
  }
  return outputs.flatMap(({ name, sqnr: { float } }) =>
    float !== null && !(float >= fewDecibels)
      ? warn(
          `${name} is far from float's, ${Number.isNaN(float) ? "with numbers that are not finite" : `${float.toFixed(1)} dB`}`,
        )
      : [],
  );
}

/** What gates go by. */
export function gatedFigures(
  { score, verification, warnings }: CompressionFigures,
  bytes: GatedFigures["bytes"],
): GatedFigures {
  const agreement = verification?.agreement ?? nothing;
  return {
    score,
    agreement,
    bytes,
    latencyMs: verification?.latencyMs ?? null,
    worthless: warnings.find(voidsScore)?.text,
  };
}

/** What was measured, as the report holds it. */
export function compressionFigures({ score, verification, warnings }: CompressionFigures) {
  const { agreement = null, samples = 0, outputs = [], latencyMs = null } = verification ?? {};
  return {
    score: score && {
      name: score.metric,
      unit: score.unit,
      better: score.better,
      float: score.float,
      compressed: score.quantized,
      samples: score.samples,
      interval: score.interval,
      p: score.p,
    },
    agreement,
    agreementSamples: samples,
    outputs: outputs.flatMap(({ name, sqnr }) => (sqnr.float === null ? [] : [{ name, sqnr: sqnr.float }])),
    latencyMs: latencyMs && { before: latencyMs.float, after: latencyMs.quantized },
    warnings,
  };
}
