/**
 * Entropy (TensorRT's calibration, as ONNX Runtime and AIMET's C++ do it): the window of the histogram whose numbers,
 * merged into the grid's levels, diverge least (Kullback-Leibler) from the original with everything outside clipped.
 */
import { type Affine, affineOfRange, type GridChoice, isOneSided, stepsOf } from "../range.ts";
import type { Ends } from "../useful-range.ts";
import { GrowingHistogram, type Histogram } from "./growing-histogram.ts";
import { nothingSeen, type Observer, type Seen } from "./observer.ts";

/** What an empty bin counts as, so that the divergence stays finite. */
const smoothing = 1e-4;

export class EntropyObserver implements Observer {
  readonly #seen = new GrowingHistogram();

  see(values: Float32Array): void {
    this.#seen.see(values);
  }

  statistics(): Seen {
    return this.#seen.statistics();
  }

  propose(choice: GridChoice, useful?: Ends): Affine {
    if (this.#seen.count === 0) throw nothingSeen();
    const histogram = this.#seen.histogram(useful);
    const { min, max } = histogram;
    // More levels than bins: merging loses nothing, and there is nothing to choose.
    if (stepsOf(choice) >= histogram.counts.length / 2) return affineOfRange(min, max, choice);
    const symmetric = choice.symmetric && !isOneSided(choice, min);
    const [low, high] = leastDivergence(symmetric ? mirrored(histogram) : histogram, stepsOf(choice), symmetric);
    return affineOfRange(low, high, choice);
  }
}

/** The histogram of the absolute numbers, spread over both sides. */
function mirrored(histogram: Histogram): Histogram {
  const { left, width, counts } = histogram;
  const first = Math.round(left / width);
  const half = Math.max(-first, first + counts.length);
  const both = new Float64Array(2 * half);
  counts.forEach((count, i) => {
    // Bin i covers [first + i, first + i + 1) widths; its mirror image is −(first + i) − 1.
    both[half + first + i]! += count / 2;
    both[half - first - i - 1]! += count / 2;
  });
  const reach = Math.max(-histogram.min, histogram.max);
  return { ...histogram, left: -half * width, counts: both, min: -reach, max: reach };
}

/** Ends of the best window. Windows shrink at the end that loses less, or at both if symmetric; zero stays inside. */
function leastDivergence(histogram: Histogram, levels: number, symmetric: boolean): readonly [number, number] {
  const { left, width, counts, min, max } = histogram;
  let start = Math.max(0, Math.floor((min - left) / width));
  let stop = Math.min(counts.length - 1, Math.floor((max - left) / width));
  if (symmetric) start = counts.length - 1 - stop;
  const zero = Math.round(-left / width);
  let best: readonly [number, number] = [min, max];
  let least = Number.POSITIVE_INFINITY;
  let below = 0;
  let above = 0;
  while (stop - start + 1 >= levels) {
    const divergence = divergenceOf(counts, start, stop, below, above, levels);
    if (divergence < least) {
      least = divergence;
      best = [Math.max(left + start * width, min), Math.min(left + (stop + 1) * width, max)];
    }
    const canLow = symmetric || start + 2 <= zero;
    const canHigh = symmetric || stop - 2 >= zero;
    if (!canLow && !canHigh) break;
    const lossLow = counts[start]! + counts[start + 1]!;
    const lossHigh = counts[stop]! + counts[stop - 1]!;
    if (symmetric || (canLow && (!canHigh || lossLow <= lossHigh))) {
      below += lossLow;
      start += 2;
    }
    if (symmetric || !(canLow && (!canHigh || lossLow <= lossHigh))) {
      above += lossHigh;
      stop -= 2;
    }
  }
  return best;
}

/** KL(P‖Q): P is the window with what lies outside added to its end bins, Q the window merged into `levels` groups. */
function divergenceOf(
  counts: Float64Array,
  start: number,
  stop: number,
  below: number,
  above: number,
  levels: number,
): number {
  const size = stop - start + 1;
  let total = below + above;
  let inside = 0;
  for (let i = start; i <= stop; i++) inside += counts[i]!;
  total += inside;
  if (inside === 0) return Number.POSITIVE_INFINITY;
  let divergence = 0;
  for (let level = 0; level < levels; level++) {
    const from = start + Math.ceil((level * size) / levels);
    const to = level === levels - 1 ? stop + 1 : start + Math.ceil(((level + 1) * size) / levels);
    let sum = 0;
    let filled = 0;
    for (let i = from; i < to; i++) {
      sum += counts[i]!;
      if (counts[i]! > 0) filled++;
    }
    for (let i = from; i < to; i++) {
      const p = (counts[i]! + (i === start ? below : 0) + (i === stop ? above : 0)) / total;
      if (p === 0) continue;
      const q = counts[i]! > 0 ? sum / filled / inside : smoothing / total;
      divergence += p * Math.log(p / q);
    }
  }
  return divergence;
}
