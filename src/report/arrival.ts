/** What share of the multiply-accumulates that were saved became time that was saved. */
import type { KernelLoss } from "../analysis/inner.ts";
import { milliseconds, percent } from "./words.ts";

export interface CostAndTime {
  readonly cost: Readonly<Record<"before" | "after", { readonly macs: number }>>;
  /** Of one sample. */
  readonly latencyMs:
    | (Readonly<Record<"before" | "after", number>> & { readonly losses?: readonly KernelLoss[] })
    | null;
}

/** Below it the report says that little arrives. */
const little = 0.5;

/** 1: as much time was saved as multiply-accumulates; negative: it takes longer. Null: not measured, or hardly anything was saved. */
export function arrivedShare({ cost, latencyMs }: CostAndTime): number | null {
  const saved = 1 - cost.after.macs / cost.before.macs;
  return latencyMs && saved > 0.02 ? (1 - latencyMs.after / latencyMs.before) / saved : null;
}

export function arrivesLittle(of: CostAndTime): boolean {
  const share = arrivedShare(of);
  return share !== null && share < little;
}

/** "60 % of what the multiply-accumulates saved arrives". */
export function arrivalText(of: CostAndTime): string | null {
  const share = arrivedShare(of);
  if (share === null) return null;
  return share > 0
    ? `${percent(share, 0)} of the saving of multiply-accumulates arrives`
    : "none of the saving of multiply-accumulates arrives";
}

/** Where little arrives: the kernels that take longer, and what helps. */
export function arrivalNote(of: CostAndTime): string | null {
  if (!arrivesLittle(of)) return null;
  const slower = (of.latencyMs?.losses ?? [])
    .slice(0, 3)
    .map(({ kernel, float, quantized }) => `${kernel} ${milliseconds(float)} → ${milliseconds(quantized)}`);
  const where = slower.length > 0 ? ` (longer now: ${slower.join(", ")})` : "";
  return `${arrivalText(of)} on this machine${where}: --multiple 8 keeps ranks and channels in whole registers, and --target-latency goes by milliseconds`;
}
