/**
 * Cyclic coordinate descent on a rounding problem: each integer in turn takes the value that is best while the others
 * stay. With g = H d + t the best step of element j is −g_j / H_jj; the objective never rises. Behrens et al., "QuantEase"
 * (2023), and Nair and Suggala, "CDQuant" (2024), study the same iteration.
 */
import type { RoundingProblem } from "./rounding-problem.ts";

export interface DescentOptions {
  /** Sweeps over all columns at most; the descent ends earlier when a sweep changes nothing. Default 20. */
  readonly sweeps?: number;
  /** How far an integer may move from the two neighbours of W / s. Default 0, up or down only: further ones fit the sample. */
  readonly reach?: number;
}

/** Improves the integers in place; returns how many were changed. */
export function descend(problem: RoundingProblem, integers: Float64Array, options: DescentOptions = {}): number {
  const { sweeps = 20, reach = 0 } = options;
  const { groups, outputs, columns, weight, scale, low, high, h, t } = problem;
  const g = new Float64Array(columns);
  let changed = 0;
  for (let row = 0; row < groups * outputs; row++) {
    const at = row * columns;
    const base = Math.floor(row / outputs) * columns * columns;
    g.set(t.subarray(at, at + columns));
    for (let j = 0; j < columns; j++) {
      const d = scale[at + j]! * integers[at + j]! - weight[at + j]!;
      if (d !== 0) addScaled(g, h, base + j * columns, d);
    }
    for (let sweep = 0; sweep < sweeps; sweep++) {
      let moved = 0;
      for (let j = 0; j < columns; j++) {
        const i = at + j;
        const curvature = h[base + j * columns + j]!;
        const s = scale[i]!;
        if (!(curvature > 0) || s === 0) continue;
        // A weight beyond the grid has its two neighbours at the grid's end.
        const floor = Math.min(high[i]! - 1, Math.max(low[i]!, Math.floor(weight[i]! / s)));
        const from = Math.max(low[i]!, floor - reach);
        const to = Math.min(high[i]!, floor + 1 + reach);
        const wanted = integers[i]! - g[j]! / curvature / s;
        const next = Math.min(Math.max(Math.round(wanted), from), to);
        const step = next - integers[i]!;
        // Equal within rounding is no gain: it would make the sweep wander.
        if (step === 0 || step * s * (2 * g[j]! + step * s * curvature) >= -1e-12 * curvature * s * s) continue;
        integers[i] = next;
        addScaled(g, h, base + j * columns, step * s);
        moved++;
      }
      changed += moved;
      if (moved === 0) break;
    }
  }
  return changed;
}

/** g += factor · row of H (H is symmetric: its row is its column). */
function addScaled(g: Float64Array, h: Float64Array, from: number, factor: number): void {
  for (let k = 0; k < g.length; k++) g[k] = g[k]! + factor * h[from + k]!;
}
