/**
 * How many channels of each group go: from candidate to candidate, always where least is lost for what is saved, until the budget is
 * met. What a channel saves depends on what its neighbours lost already, so that no table of sums would do.
 */
import type { Cost } from "../low-rank/form.ts";
import type { ChannelGroup, CostLedger } from "./groups.ts";
import type { Removal } from "./order.ts";

export interface OrderedGroup {
  readonly group: ChannelGroup;
  readonly order: readonly Removal[];
  /** How many removals each candidate means, ascending. */
  readonly candidates: readonly number[];
}

/** The number of removals of each group; null where all candidates together do not meet the budget. The ledger is left as it then stands. */
export function removalsWithin(
  groups: readonly OrderedGroup[],
  ledger: CostLedger,
  budget: number,
  by: keyof Cost,
): number[] | null {
  const taken = groups.map(() => 0);
  for (let total = ledger.total(by); total > budget; total = ledger.total(by)) {
    let best: { readonly g: number; readonly to: number; readonly price: number } | undefined;
    for (const [g, { order, candidates }] of groups.entries()) {
      const from = taken[g]!;
      // A later candidate may be the better bargain: orders are greedy, not convex.
      for (const to of candidates) {
        if (to <= from) continue;
        const saved = ledger.saving(channelsOf(order, from, to), by);
        // What is saved beyond the budget is worth nothing.
        const price = (order[to - 1]!.loss - (order[from - 1]?.loss ?? 0)) / Math.min(saved, total - budget);
        if (saved > 0 && !(price >= (best?.price ?? Infinity))) best = { g, to, price };
      }
    }
    if (!best) return null;
    ledger.remove(channelsOf(groups[best.g]!.order, taken[best.g]!, best.to));
    taken[best.g] = best.to;
  }
  return taken;
}

export function channelsOf(order: readonly Removal[], from: number, to: number): number[] {
  return order.slice(from, to).map(({ channel }) => channel);
}
