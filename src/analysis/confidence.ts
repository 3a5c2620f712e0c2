/** How far a figure that was measured on samples may be from that of all such data: 95 % intervals, paired where two models saw the same samples. */
import { Random } from "../base/inner.ts";

/** Lower and upper end. */
export type Interval = readonly [low: number, high: number];

/** The 97.5 % quantile of the normal distribution: two-sided 95 %. */
const z = 1.959963984540054;

/** The score interval of a share (Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927). */
export function wilsonInterval(hits: number, count: number): Interval {
  if (count === 0) return [0, 1];
  const share = hits / count;
  const scale = 1 + z ** 2 / count;
  const middle = (share + z ** 2 / (2 * count)) / scale;
  const half = (z / scale) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  // At the ends the formula returns 0 and 1 up to rounding.
  return [hits === 0 ? 0 : middle - half, hits === count ? 1 : middle + half];
}

/**
 * The interval of p₁ − p₂ where both models saw the same samples: `onlyFirst` were right with the first alone, `onlySecond` with the
 * second alone. Wald's interval with half a sample added to each of the four cells (Agresti and Min, "Simple improved confidence
 * intervals for comparing matched proportions", Statistics in Medicine 2005).
 */
export function pairedInterval(onlyFirst: number, onlySecond: number, count: number): Interval {
  const [b, c, n] = [onlyFirst + 0.5, onlySecond + 0.5, count + 2];
  const difference = (b - c) / n;
  const half = (z * Math.sqrt(b + c - (b - c) ** 2 / n)) / n;
  return [Math.max(-1, difference - half), Math.min(1, difference + half)];
}

/**
 * The chance that two models of equal accuracy differ at least so much on the samples that only one of them gets right: McNemar's test
 * in its exact two-sided form (McNemar, Psychometrika 1947), a binomial with probability ½.
 */
export function mcNemar(onlyFirst: number, onlySecond: number): number {
  const n = onlyFirst + onlySecond;
  let [term, sum] = [-n * Math.LN2, 0];
  for (let k = 0; k <= Math.min(onlyFirst, onlySecond); k++) {
    sum += Math.exp(term);
    term += Math.log(n - k) - Math.log(k + 1);
  }
  return Math.min(1, 2 * sum);
}

/**
 * Student's interval of the mean of these numbers ("The Probable Error of a Mean", Biometrika 1908). Nothing is known of the spread of
 * fewer than two: their interval is all numbers.
 */
export function meanInterval(values: readonly number[]): Interval {
  const n = values.length;
  if (n < 2) return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const half = studentQuantile(n - 1) * Math.sqrt(variance / n);
  return [mean - half, mean + half];
}

/** The two-sided 95 % quantile of Student's distribution; the expansion (Abramowitz and Stegun 26.7.5) is 1 % off at three degrees of freedom. */
function studentQuantile(degrees: number): number {
  if (degrees === 1) return Math.tan(0.475 * Math.PI);
  if (degrees === 2) return 0.95 * Math.sqrt(2 / (1 - 0.95 ** 2));
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
  ];
  return terms.reduce((sum, term, i) => sum + term / degrees ** (i + 1), z);
}

/** Multiplications and additions that an interval may cost: about a second. */
const work = 3e8;

/**
 * The percentile interval of a figure that is a function of sums over samples: samples are drawn with replacement 1000 times (Efron,
 * "Bootstrap Methods: Another Look at the Jackknife", 1979). Each row is what one sample adds. The same for the same rows.
 */
export function bootstrapInterval(
  rows: readonly ArrayLike<number>[],
  figure: (sums: Float64Array) => number,
): Interval {
  const width = rows[0]?.length ?? 0;
  const draws = Math.max(200, Math.min(1000, Math.floor(work / Math.max(rows.length * width, 1))));
  const random = new Random(1);
  const figures = Float64Array.from({ length: draws }, () => {
    const sums = new Float64Array(width);
    for (let drawn = 0; drawn < rows.length; drawn++) {
      const row = rows[random.integer(rows.length)]!;
      for (let i = 0; i < width; i++) sums[i] = sums[i]! + row[i]!;
    }
    return figure(sums);
  }).sort();
  return [quantile(figures, 0.025), quantile(figures, 0.975)];
}

/** Between the two sorted numbers around it, as NumPy does. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const next = sorted[Math.min(low + 1, sorted.length - 1)]!;
  return sorted[low]! + (at - low) * (next - sorted[low]!);
}
