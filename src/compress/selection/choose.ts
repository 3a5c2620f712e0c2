/** From sensitivities and a budget to one decision for each layer. */
import type { LayerSensitivity, Sensitivities } from "../../analysis/inner.ts";
import { AvocetError } from "../../base/inner.ts";
import type { Decision } from "../candidates.ts";
import type { LowRankScheme } from "../scheme-names.ts";
import { greedySelection, monotone } from "./greedy.ts";
import { chooseWithin } from "./knapsack.ts";

export interface Limit {
  readonly by: "macs" | "parameters";
  /** What the model may cost. */
  readonly budget: number;
  /** What it costs as it is now. */
  readonly total: number;
  /** What shares are of: its cost before anything was compressed. */
  readonly whole: number;
}

export interface How {
  readonly selection: "moments" | "metric";
  readonly monotone: boolean;
}

/** The layers, each with its forms. */
function unitsOf({ layers }: Sensitivities): LayerSensitivity[][] {
  const byLayer = new Map<string, LayerSensitivity[]>();
  for (const one of layers) byLayer.set(one.layer, [...(byLayer.get(one.layer) ?? []), one]);
  return [...byLayer.values()];
}

/** The least loss at shares of the cost in steps of 0.05, for those that can be reached and predicted. */
export function tradeoffOf(sensitivities: Sensitivities, { by, total, whole }: Limit): Sensitivities["tradeoff"] {
  const units = unitsOf(sensitivities);
  if (units.some((forms) => forms.some(({ candidates }) => candidates.some(({ loss }) => loss === null)))) return [];
  const others = total - units.reduce((sum, [one]) => sum + one![by], 0);
  const choices = units.map((forms) => choicesOf(forms, by));
  const points: { share: number; loss: number }[] = [];
  for (let step = 19; step > 0; step--) {
    const found = chooseWithin(choices, (step / 20) * whole - others);
    if (!found) break;
    const sum = (key: "cost" | "loss") => found.reduce((all, index, u) => all + choices[u]![index]![key], 0);
    points.push({ share: (sum("cost") + others) / whole, loss: sum("loss") });
  }
  return points.reverse();
}

/** The decisions by layer; layers without one stay. Throws `compress/unreachable`, which names the nearest budget. */
export function chooseRatios(sensitivities: Sensitivities, limit: Limit, how: How): Map<string, Decision> {
  const units = unitsOf(sensitivities);
  const { by, budget, total, whole } = limit;
  // What the budget leaves for the layers that can be compressed.
  const others = total - units.reduce((sum, [one]) => sum + one![by], 0);
  const least = units.reduce(
    (sum, forms) => sum + Math.min(...forms.flatMap((one) => one.candidates.map((c) => c[by]))),
    others,
  );
  const found =
    how.selection === "metric"
      ? byScore(units, sensitivities.metric!.better, budget - others, limit.by, how)
      : byLoss(units, budget - others, by);
  if (found) return found;
  throw new AvocetError(
    "compress/unreachable",
    `expected a budget that can be met, got ${share(budget, whole)} of the ${by === "macs" ? "MACs" : "parameters"}; the least is ${share(least, whole, Math.ceil)}`,
    { at: "target" },
  );
}

const share = (part: number, total: number, round = Math.round) => `${round((1000 * part) / total) / 1000}`;

function byLoss(units: readonly LayerSensitivity[][], budget: number, by: Limit["by"]): Map<string, Decision> | null {
  const choices = units.map((forms) => choicesOf(forms, by));
  const found = chooseWithin(choices, budget);
  return (
    found &&
    decided(
      units,
      found.map((index, u) => choices[u]![index]!.decision),
    )
  );
}

/** What a layer may become; the first: it stays. */
function choicesOf(forms: readonly LayerSensitivity[], by: Limit["by"]) {
  return [
    { cost: forms[0]![by], loss: 0, decision: null },
    ...forms.flatMap(({ scheme, candidates }) =>
      candidates.map((one) => ({ cost: one[by], loss: one.loss ?? Infinity, decision: decisionOf(scheme, one.rank) })),
    ),
  ];
}

/** Every layer by its first scheme: scores of two schemes say nothing of thresholds. */
function byScore(
  units: readonly LayerSensitivity[][],
  better: "higher" | "lower",
  budget: number,
  by: Limit["by"],
  how: How,
): Map<string, Decision> | null {
  const sign = better === "higher" ? 1 : -1;
  const layers = units.map(([form]) => {
    const scored = form!.candidates.map((one) => ({
      ratio: one.ratio,
      cost: one[by],
      score: sign * one.score!,
      rank: one.rank,
    }));
    const ranks = scored.map(({ rank }) => rank);
    return { cost: form![by], scored: how.monotone ? monotone(scored) : scored, ranks };
  });
  const found = greedySelection(layers, budget);
  return (
    found &&
    decided(
      units,
      found.map((index, u) => (index === null ? null : decisionOf(units[u]![0]!.scheme, layers[u]!.ranks[index]!))),
    )
  );
}

const decisionOf = (scheme: string, rank: number): Decision => ({ scheme: scheme as LowRankScheme, rank });

function decided(units: readonly LayerSensitivity[][], decisions: readonly (Decision | null)[]): Map<string, Decision> {
  return new Map(units.flatMap(([one], u) => (decisions[u] ? [[one!.layer, decisions[u]] as const] : [])));
}
