/**
 * AIMET's selection: one threshold on the score for all layers. Each layer takes the smallest ratio before the score of that layer alone
 * would fall below the threshold; the threshold is found by bisection so that the whole meets the budget.
 */

/** A layer compressed alone to a ratio, and the score of the model then; higher is better. */
export interface Scored {
  readonly ratio: number;
  readonly cost: number;
  readonly score: number;
}

/** The index into `scored` (ratios ascending), or null: the layer stays. */
export function ratioAt(scored: readonly Scored[], threshold: number): number | null {
  if (scored.length === 0 || threshold > scored.at(-1)!.score) return null;
  if (threshold < scored[0]!.score) return 0;
  for (let i = scored.length - 1; i >= 0; i--) if (scored[i]!.score < threshold) return i + 1;
  return 0;
}

export interface GreedyLayer {
  /** What the layer costs as it is. */
  readonly cost: number;
  /** Ratios ascending. */
  readonly scored: readonly Scored[];
}

/**
 * The choice of each layer at the highest threshold that meets the budget; null where the lowest does not. AIMET stops within 0.001 of
 * the target or 1e-4 of the range of scores; this goes on to the last bits, for nothing but numbers is computed.
 */
export function greedySelection(layers: readonly GreedyLayer[], budget: number): (number | null)[] | null {
  const scores = layers.flatMap(({ scored }) => scored.map(({ score }) => score));
  if (scores.length === 0) return null;
  const at = (threshold: number) => layers.map(({ scored }) => ratioAt(scored, threshold));
  const cost = (found: readonly (number | null)[]) =>
    found.reduce<number>(
      (sum, index, l) => sum + (index === null ? layers[l]!.cost : layers[l]!.scored[index]!.cost),
      0,
    );
  let low = Math.min(...scores);
  let high = Math.max(...scores) + 1;
  low -= 1;
  let best = at(low);
  if (cost(best) > budget) return null;
  for (let turns = 0; turns < 100 && high - low > 1e-12 * (Math.abs(high) + Math.abs(low)); turns++) {
    const middle = (low + high) / 2;
    const found = at(middle);
    if (cost(found) <= budget) [low, best] = [middle, found];
    else high = middle;
  }
  return best;
}

/**
 * The nearest scores (least squares) that do not fall as the ratio grows, by pooling neighbours: few samples make scores jump, and more
 * of a layer is no worse. AIMET fits a polynomial of degree 7 under the same condition.
 */
export function monotone(scored: readonly Scored[]): Scored[] {
  const pools: { sum: number; count: number }[] = [];
  for (const { score } of scored) {
    let own = { sum: score, count: 1 };
    for (let last = pools.at(-1); last && last.sum / last.count > own.sum / own.count; last = pools.at(-1)) {
      own = { sum: own.sum + last.sum, count: own.count + last.count };
      pools.pop();
    }
    pools.push(own);
  }
  const fitted = pools.flatMap(({ sum, count }) => new Array<number>(count).fill(sum / count));
  return scored.map((one, i) => ({ ...one, score: fitted[i]! }));
}
