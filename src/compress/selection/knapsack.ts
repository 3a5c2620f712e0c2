/**
 * One choice for each layer so that the sum of losses is least and the sum of costs keeps to a budget: the multiple-choice knapsack,
 * by dynamic programming over costs in small steps. Rounded up, so that the budget holds; what rounding left over is spent after.
 */

export interface Choice {
  readonly cost: number;
  readonly loss: number;
}

/** Steps of the budget: with them the optimum is off by less than one part in a thousand of the budget for a hundred layers. */
const steps = 1 << 15;

/** The index of the choice for each unit, or null where even the cheapest choices cost more than the budget. */
export function chooseWithin(units: readonly (readonly Choice[])[], budget: number): number[] | null {
  const least = units.map((choices) => Math.min(...choices.map(({ cost }) => cost)));
  const floor = least.reduce((sum, cost) => sum + cost, 0);
  if (floor > budget) return null;
  // What every choice costs at least needs no steps.
  const room = budget - floor;
  const step = room > 0 ? room / steps : 1;
  const size = room > 0 ? steps + 1 : 1;
  let best = new Float64Array(size);
  const taken: Int16Array[] = [];
  for (const [u, choices] of units.entries()) {
    const next = new Float64Array(size).fill(Infinity);
    const from = new Int16Array(size).fill(-1);
    for (const [index, { cost, loss }] of choices.entries()) {
      // The least bit less, so that a cost that is a whole number of steps stays one.
      const shift = Math.ceil((cost - least[u]!) / step - 1e-9);
      for (let at = shift; at < size; at++) {
        const total = best[at - shift]! + loss;
        if (total < next[at]!) {
          next[at] = total;
          from[at] = index;
        }
      }
    }
    best = next;
    taken.push(from);
  }
  const found = new Array<number>(units.length);
  let at = size - 1;
  for (let u = units.length - 1; u >= 0; u--) {
    // Rounding up can leave no way where the budget is just reached: then the cheapest is taken.
    const index = taken[u]![at]!;
    const chosen = index >= 0 ? index : units[u]!.findIndex(({ cost }) => cost === least[u]);
    found[u] = chosen;
    at = Math.max(0, at - Math.max(0, Math.ceil((units[u]![chosen]!.cost - least[u]!) / step - 1e-9)));
  }
  return spent(units, found, budget);
}

/** Better choices that fit into what is left, the best gain first. */
function spent(units: readonly (readonly Choice[])[], found: number[], budget: number): number[] {
  let left = budget - found.reduce((sum, index, u) => sum + units[u]![index]!.cost, 0);
  for (;;) {
    let best: { readonly u: number; readonly index: number; readonly gain: number } | undefined;
    for (const [u, choices] of units.entries()) {
      const now = choices[found[u]!]!;
      for (const [index, { cost, loss }] of choices.entries()) {
        const gain = now.loss - loss;
        if (gain > (best?.gain ?? 0) && cost - now.cost <= left) best = { u, index, gain };
      }
    }
    if (!best) return found;
    left -= units[best.u]![best.index]!.cost - units[best.u]![found[best.u]!]!.cost;
    found[best.u] = best.index;
  }
}
