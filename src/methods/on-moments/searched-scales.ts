/** The scales that methods on moments begin with: per tensor and channel those of `withBestScales`, and each block by itself. */
import type { MatrixLayer } from "../../facts/inner.ts";
import { type Encoding, leastScales, type PlanEntry, shortWeightScale } from "../../quant/inner.ts";
import { bestCandidates } from "./judged.ts";
import { type RoundingProblem, withEncoding } from "./rounding-problem.ts";
import type { RowErrors } from "./row-errors.ts";
import { withBestScales } from "./scale-search.ts";

/** Fractions of the scale that just spans a block: a block is short, so that little is gained by cutting much off. */
const factors = Array.from({ length: 16 }, (_, i) => 0.7 + 0.025 * i);

/**
 * A block is judged by the error that it adds alone, dᵀH d over its own columns: a small product for each candidate, however wide the
 * layer is. What the blocks of a row do to each other is left to the rounding that follows.
 */
export async function withSearchedScales(
  problem: RoundingProblem,
  layer: MatrixLayer,
  candidates: { readonly spanning: Encoding; readonly given: Encoding; readonly entry: PlanEntry },
  errors: RowErrors,
): Promise<{ problem: RoundingProblem; encoding: Encoding }> {
  const { spanning, given, entry } = candidates;
  if (spanning.granularity.kind !== "block") return await withBestScales(problem, layer, candidates, errors);
  const floor = leastScales(entry, layer.weight.value, spanning);
  const scaled = (factor: number): Encoding => ({
    ...spanning,
    scale: spanning.scale.map((s, i) =>
      Math.max(entry.shortScale ? shortWeightScale(s * factor) : Math.fround(s * factor), floor?.[i] ?? 0),
    ),
  });
  const encodings = [given, ...factors.map(scaled)];
  const alone = { ...problem, t: new Float64Array(problem.t.length) };
  const best = await bestCandidates(alone, layer, encodings, errors);
  const scale = spanning.scale.map((_, slice) => encodings[best[slice]!]!.scale[slice]!);
  const offset = spanning.offset.map((_, slice) => encodings[best[slice]!]!.offset[slice]!);
  const encoding = { ...given, scale, offset };
  return { problem: withEncoding(problem, layer, encoding), encoding };
}
