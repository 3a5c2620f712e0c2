/** What a layer may become: a scheme and a rank, with what it costs and what it is expected to lose. */
import { isRefused } from "../base/inner.ts";
import type { MatrixLayer } from "../facts/inner.ts";
import type { Positions } from "./low-rank/form.ts";
import { type Cost, type LowRankCosts, type LowRankForm, lowRankCosts, lowRankForm, rankFor } from "./low-rank/form.ts";
import type { LowRankScheme } from "./scheme-names.ts";

/** What a layer becomes. */
export interface Decision {
  readonly scheme: LowRankScheme;
  readonly rank: number;
}

/** As options and documents call a layer: by its node, or by the output of a node without a name. */
export function layerName({ node }: Pick<MatrixLayer, "node">): string {
  return node.name || node.output.name;
}

export interface Candidate extends Decision {
  /** Share of the layer's cost, by what the budget counts. */
  readonly ratio: number;
  readonly cost: Cost;
}

/** One form of a layer with its candidates, the smallest ratio first. */
export interface FormCandidates {
  readonly form: LowRankForm;
  readonly costs: LowRankCosts;
  readonly candidates: readonly Candidate[];
}

export interface CandidateOptions {
  readonly schemes: readonly LowRankScheme[];
  /** Ratios are k / count, k = 1 … count − 1: AIMET's candidates for a count of 10. */
  readonly count: number;
  readonly by: keyof Cost;
  readonly multiple: number;
}

/** The forms of a layer that save something, or the reason why there is none. */
export function candidatesOf(
  layer: MatrixLayer,
  positions: Positions,
  { schemes, count, by, multiple }: CandidateOptions,
): readonly FormCandidates[] | string {
  const reasons: string[] = [];
  const found: FormCandidates[] = [];
  const known = new Set<string>();
  for (const scheme of schemes) {
    const form = lowRankForm(layer, scheme);
    if (isRefused(form)) {
      reasons.push(form.refused);
      continue;
    }
    // Where two schemes split a layer alike, the first stands for both.
    const split = `${form.first} ${form.second}`;
    if (known.has(split)) continue;
    known.add(split);
    const costs = lowRankCosts(form, positions);
    const ranks = new Set<number>();
    const candidates: Candidate[] = [];
    for (let k = 1; k < count; k++) {
      const rank = rankFor(form, costs, k / count, by, multiple);
      const cost = costs.at(rank);
      if (ranks.has(rank) || cost[by] >= costs.original[by]) continue;
      ranks.add(rank);
      candidates.push({ scheme, rank, ratio: cost[by] / costs.original[by], cost });
    }
    if (candidates.length > 0) found.push({ form, costs, candidates });
    else reasons.push("no rank makes it cheaper");
  }
  return found.length > 0 ? found : [...new Set(reasons)].join("; ");
}
