/**
 * Entropy (TensorRT's calibration, as ONNX Runtime and AIMET's C++ do it): the window of the histogram whose numbers,
 * merged into the grid's levels, diverge least (Kullback-Leibler) from the original with everything outside clipped.
 *
 * One thing differs on purpose: a number that recurs (zero after Relu, a bound of Clip, the constant of a dead channel) fills
 * one bin alone, and such bins are not merged. Rounding moves it by half a step like any other, but the divergence of so thin
 * a spike counts the width of its group, and where two numbers of three are zero that decides everything: the window
 * shrinks to as many bins as there are levels.
 */
import { type Affine, affineOfRange, type GridChoice, isOneSided, stepsOf } from "../grids/range.ts";
import type { Histogram } from "./growing-histogram.ts";
import { HistogramObserver } from "./histogram-observer.ts";

/** What an empty bin counts as, so that the divergence stays finite. */
const smoothing = 1e-4;

export class EntropyObserver extends HistogramObserver {
  protected override choose(choice: GridChoice, histogram: Histogram): Affine {
    const { min, max } = histogram;
    // More levels than bins: merging loses nothing, and there is nothing to choose.
    if (stepsOf(choice) >= histogram.counts.length / 2) return affineOfRange(min, max, choice);
    const symmetric = choice.symmetric && !isOneSided(choice, min);
    const split = withoutSpikes(histogram);
    const [low, high] = leastDivergence(symmetric ? mirrored(split) : split, stepsOf(choice), symmetric);
    return affineOfRange(low, high, choice);
  }
}

/** A histogram with what stands out of single bins apart. */
interface Split extends Pick<Histogram, "left" | "width" | "min" | "max"> {
  readonly counts: Float64Array;
  readonly spikes: Float64Array;
}

/** In a thin tail so many numbers may fall into one bin by chance. */
const chance = 10;

function withoutSpikes({ left, width, min, max, counts: all }: Histogram): Split {
  const counts = all.slice();
  const spikes = new Float64Array(all.length);
  all.forEach((count, i) => {
    const beside = Math.max(all[i - 1] ?? 0, all[i + 1] ?? 0);
    if (count <= 2 * beside + chance) return;
    spikes[i] = count - beside;
    counts[i] = beside;
  });
  return { left, width, min, max, counts, spikes };
}

/** The absolute numbers, spread over both sides. */
function mirrored({ left, width, min, max, counts, spikes }: Split): Split {
  const first = Math.round(left / width);
  const half = Math.max(-first, first + counts.length);
  const bothSides = (one: Float64Array): Float64Array => {
    const both = new Float64Array(2 * half);
    one.forEach((count, i) => {
      // Bin i covers [first + i, first + i + 1) widths; its mirror image is −(first + i) − 1.
      both[half + first + i]! += count / 2;
      both[half - first - i - 1]! += count / 2;
    });
    return both;
  };
  const reach = Math.max(-min, max);
  return { left: -half * width, width, min: -reach, max: reach, counts: bothSides(counts), spikes: bothSides(spikes) };
}

/** Ends of the best window. Windows shrink at the end that loses less, or at both if symmetric; zero stays inside. */
function leastDivergence(split: Split, levels: number, symmetric: boolean): readonly [number, number] {
  const { left, width, counts, spikes, min, max } = split;
  let start = Math.max(0, Math.floor((min - left) / width));
  let stop = Math.min(counts.length - 1, Math.floor((max - left) / width));
  if (symmetric) start = counts.length - 1 - stop;
  const zero = Math.round(-left / width);
  let best: readonly [number, number] = [min, max];
  let least = Number.POSITIVE_INFINITY;
  let onLevels = spikes.reduce((sum, count) => sum + count, 0);
  let below = 0;
  let above = 0;
  while (stop - start + 1 >= levels) {
    const divergence = divergenceOf({ counts, start, stop, below, above, onLevels }, levels);
    if (divergence < least) {
      least = divergence;
      best = [Math.max(left + start * width, min), Math.min(left + (stop + 1) * width, max)];
    }
    const canLow = symmetric || start + 2 <= zero;
    const canHigh = symmetric || stop - 2 >= zero;
    if (!canLow && !canHigh) break;
    const spikesLow = spikes[start]! + spikes[start + 1]!;
    const spikesHigh = spikes[stop]! + spikes[stop - 1]!;
    const lossLow = counts[start]! + counts[start + 1]! + spikesLow;
    const lossHigh = counts[stop]! + counts[stop - 1]! + spikesHigh;
    const low = symmetric || (canLow && (!canHigh || lossLow <= lossHigh));
    if (low) {
      below += lossLow;
      onLevels -= spikesLow;
      start += 2;
    }
    if (symmetric || !low) {
      above += lossHigh;
      onLevels -= spikesHigh;
      stop -= 2;
    }
  }
  return best;
}

/** A window of a histogram, its ends included. */
export interface HistogramWindow {
  readonly counts: Float64Array;
  readonly start: number;
  readonly stop: number;
  /** How many numbers lie outside, on either side. */
  readonly below: number;
  readonly above: number;
  /** How many lie inside and are not merged; they are not in `counts`. */
  readonly onLevels: number;
}

/**
 * KL(P‖Q) in nats: P is the window with what lies outside added to its end bins, Q the window merged into `levels` groups,
 * each spread evenly over those of its bins that are not empty.
 */
export function divergenceOf(window: HistogramWindow, levels: number): number {
  const { counts, start, stop, below, above, onLevels } = window;
  const size = stop - start + 1;
  let inside = onLevels;
  for (let i = start; i <= stop; i++) inside += counts[i]!;
  if (inside === 0) return Number.POSITIVE_INFINITY;
  const total = inside + below + above;
  let divergence = (onLevels / total) * Math.log(inside / total);
  for (let level = 0; level < levels; level++) {
    const from = start + Math.ceil((level * size) / levels);
    const to = start + Math.ceil(((level + 1) * size) / levels);
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
