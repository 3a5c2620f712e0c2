/** The score of the model with one layer compressed and all others as they are: AIMET's measure of sensitivity. */
import type { Sensitivities } from "../analysis/inner.ts";
import { throwIfAborted, type Work } from "../base/inner.ts";
import type { Model } from "../ir/inner.ts";
import { applyPlain } from "./apply-low-rank.ts";
import type { CompressibleLayer } from "./compressible.ts";
import type { ModelScorer } from "./options.ts";
import type { LowRankScheme } from "./scheme-names.ts";

/** The sensitivities with the score of every candidate, of plain decompositions. Scores that are known are not asked for again. */
export async function scoredAlone(
  model: Model,
  layers: readonly CompressibleLayer[],
  known: Sensitivities,
  scorer: ModelScorer,
  work: Work,
): Promise<Sensitivities> {
  const names = new Set(layers.map(({ name }) => name));
  const asked = known.layers.filter(({ layer }) => names.has(layer));
  const total = asked.reduce((sum, { candidates }) => sum + candidates.filter(({ score }) => score === null).length, 0);
  let done = 0;
  const same = known.metric?.name === scorer.metric.name;
  const float = same ? known.metric!.float : await scorer.score(model);
  const scored = [];
  for (const one of known.layers) {
    if (!names.has(one.layer)) {
      scored.push(one);
      continue;
    }
    const candidates = [];
    for (const candidate of one.candidates) {
      throwIfAborted(work);
      if (same && candidate.score !== null) {
        candidates.push(candidate);
        continue;
      }
      work.onProgress?.({ step: "scores of layers", done: done++, total, detail: one.layer });
      const decision = { scheme: one.scheme as LowRankScheme, rank: candidate.rank };
      candidates.push({ ...candidate, score: await scorer.score(applyPlain(model, new Map([[one.layer, decision]]))) });
    }
    scored.push({ ...one, candidates });
  }
  return { ...known, metric: { ...scorer.metric, float }, layers: scored };
}
