/**
 * TF-Enhanced exactly as AIMET's C++ (2.42), for parity: the first batch that is not all zero fixes 1,536 bins over
 * three times its range; later numbers outside are dropped while their batch still counts fully; the distributions of
 * the batches are averaged with equal weight. Scale and offset are the best of a fixed list of candidates by squared
 * error, clipping counted threefold. `sqnr` is the better choice where parity is not the aim.
 */
import { roundHalfAway } from "../../base/inner.ts";
import { type Affine, type GridChoice, stepsOf } from "../grids/range.ts";
import { shortScale } from "../grids/short-scale.ts";
import { binCount, kernel } from "./histogram-kernel.ts";
import { notFinite, nothingSeen, type Observer, type Seen } from "./observer.ts";
import { coarsen } from "./statistics.ts";

const bins = 1536;
const clippingWeight = 3;
const f = Math.fround;
const largest = 3.4028234663852886e38;

export class TfEnhancedObserver implements Observer {
  #width = 0;
  /** Index of the first bin on a grid of `width` through zero. */
  #origin = 0;
  #batches = 0;
  #count = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  readonly #density = new Float64Array(bins);

  see(values: Float32Array): void {
    if (values.length === 0) return;
    const { min, max, finite } = kernel().range(values);
    if (!finite) throw notFinite();
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
    this.#count += values.length;
    if (this.#width === 0) {
      if (min === 0 && max === 0) return;
      this.#place(min, max);
    }
    const fresh = new Float64Array(binCount);
    const wanted = { inverse: 1 / this.#width, origin: this.#origin, counts: fresh };
    kernel().histogram(values, { holds: () => true, open: () => wanted });
    for (let i = 0; i < bins; i++) {
      this.#density[i] = (this.#density[i]! * this.#batches + fresh[i]! / values.length) / (this.#batches + 1);
    }
    this.#batches++;
  }

  statistics(): Seen {
    const counts = this.#density.map((p) => p * this.#count);
    const histogram = coarsen({ left: this.#left(0), width: this.#width, counts });
    return { min: this.#min, max: this.#max, count: this.#count, histogram };
  }

  propose(choice: GridChoice): Affine {
    if (this.#count === 0) throw nothingSeen();
    // Only zeros: AIMET takes −1 … 1 with its offset rounded down.
    if (this.#width === 0) {
      const scale = 2 / stepsOf(choice);
      return { scale, offset: Math.floor(-1 / scale) };
    }
    const [low, high] = this.#observed();
    const candidates = choice.symmetric ? symmetric(low, high, choice) : asymmetric(low, high, choice);
    let best = candidates[0]!;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const candidate of candidates) {
      const cost = this.#cost(candidate, 2 ** choice.bits - 1);
      if (cost < bestCost) {
        bestCost = cost;
        best = candidate;
      }
    }
    return choice.shortScale ? { scale: shortScale(best.scale), offset: best.offset } : best;
  }

  #place(min: number, max: number): void {
    const high = min === max ? f(max + f(0.01)) : max;
    const center = f(f(high + min) / 2);
    const from = Math.max(-largest, f(center - f(3 * f(center - min))));
    const to = Math.min(largest, f(center + f(3 * f(high - center))));
    this.#width = (to - from) / bins;
    this.#origin = Math.floor(from / this.#width);
  }

  #left(i: number): number {
    return (this.#origin + i) * this.#width;
  }

  /** From the first to the last bin that is not empty, zero included. */
  #observed(): readonly [number, number] {
    const first = this.#density.findIndex((p) => p > 0);
    const last = this.#density.findLastIndex((p) => p > 0);
    const low = Math.min(f(this.#left(Math.max(first, 0))), 0);
    const high = Math.max(f(this.#left(last < 0 ? bins - 1 : last)), 0);
    return [low, Math.max(high, f(low + f(0.01)))];
  }

  #cost({ scale, offset }: Affine, top: number): number {
    const start = this.#left(0);
    const width = this.#width;
    const bin = (x: number) => Math.min(Math.max(Math.floor((x - start) / width), 0), bins - 1);
    const first = bin(f(scale * offset));
    const last = bin(f(scale * f(offset + top)));
    const density = this.#density;
    // Clipped numbers are compared with the middle of the bin that holds the limit.
    const low = f(start + first * width + width / 2);
    const high = f(start + last * width + width / 2);
    let clipped = 0;
    for (let i = 0; i < first; i++) clipped += density[i]! * (start + i * width + width / 2 - low) ** 2;
    for (let i = last; i < bins; i++) clipped += density[i]! * (start + i * width + width / 2 - high) ** 2;
    let inside = 0;
    for (let i = first; i < last; i++) {
      const p = density[i]!;
      if (p === 0) continue;
      const x = f(start + i * width + width / 2);
      const q = roundHalfAway(f(f(x / scale) - offset));
      inside += p * (x - f(scale * (q + offset))) ** 2;
    }
    return clippingWeight * clipped + inside;
  }
}

/** 17 scales up to 17/16 of the observed one, 21 offsets each, clamped to what was observed; and the observed pair. */
function asymmetric(low: number, high: number, choice: GridChoice): Affine[] {
  const steps = stepsOf(choice);
  const observed = f((high - low) / steps);
  const observedOffset = roundHalfAway(f(low / observed));
  const from = Math.max(f(observed * observedOffset), -largest);
  const to = Math.min(f(observed * f(observedOffset + steps)), largest);
  const candidates: Affine[] = [];
  for (let i = 1; i <= 17; i++) {
    for (let j = 0; j <= 20; j++) {
      const wide = f((i / 16) * observed);
      const offset = Math.trunc(-steps + (steps / 20) * j);
      const min = Math.max(f(wide * offset), -largest);
      const max = Math.min(f(wide * f(offset + steps)), largest);
      if (min < from && max > to) continue;
      const a = Math.max(from, min);
      const b = Math.min(to, max);
      if (a === b) continue;
      const scale = f((b - a) / steps);
      candidates.push({ scale, offset: roundHalfAway(f(a / scale)) + 0 });
    }
  }
  candidates.push({ scale: observed, offset: observedOffset + 0 });
  return candidates;
}

/** 101 scales up to 101/100 of the one that covers everything. */
function symmetric(low: number, high: number, choice: GridChoice): Affine[] {
  const steps = stepsOf(choice);
  const oneSided = low === 0 && choice.unsignedSymmetric === true;
  const widest = oneSided ? f(high / steps) : f(Math.max(Math.abs(high), Math.abs(low)) / (steps / 2));
  const offset = oneSided ? 0 : Math.floor(-steps / 2);
  const candidates: Affine[] = [];
  // The factor is a float32 that is added up, and so drifts a little: the last one is 1.0099993.
  for (let factor = f(1 / 100); factor <= 1 + 1 / 100; factor = f(factor + 1 / 100)) {
    candidates.push({ scale: f(factor * widest), offset });
  }
  return candidates;
}
