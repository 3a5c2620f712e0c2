/** Normal distributions, clipped ones too: what batch normalization promises, after the activations that follow it. */

/** Density of the standard normal distribution. */
export function density(x: number): number {
  return Number.isFinite(x) ? Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI) : 0;
}

/** Φ: the share of the standard normal distribution below x, to about 1e-15. */
export function cumulative(x: number): number {
  if (x > 0) return 1 - cumulative(-x);
  if (x < -38) return 0;
  return x < -3 ? tail(-x) : 0.5 - centre(-x);
}

/** Φ(x) − ½ = φ(x)·(x + x³/3 + x⁵/15 + …) for x ≥ 0: all terms are positive, nothing cancels. */
function centre(x: number): number {
  let [sum, term] = [0, x];
  for (let n = 1; term > sum * 1e-17; n++) {
    sum += term;
    term *= (x * x) / (2 * n + 1);
  }
  return density(x) * sum;
}

/** 1 − Φ(x) for large x: Laplace's continued fraction φ(x) / (x + 1/(x + 2/(x + 3/(…)))). */
function tail(x: number): number {
  let below = x;
  for (let n = 200; n >= 1; n--) below = x + n / below;
  return density(x) / below;
}

export interface MeanAndVariance {
  readonly mean: number;
  readonly variance: number;
}

/**
 * Mean and variance of min(max(x, from), to) for x normal with this mean and deviation; ends may be infinite. With
 * from = 0 and to = ∞ the mean is Nagel et al., "Data-Free Quantization" (2019), equation 21; with both ends finite
 * equation 20.
 */
export function clippedNormal(mean: number, deviation: number, from: number, to: number): MeanAndVariance {
  if (!(deviation > 0)) return { mean: Math.min(Math.max(mean, from), to), variance: 0 };
  const [a, b] = [(from - mean) / deviation, (to - mean) / deviation];
  // All but 1e-19 lies beyond one end; so far out the difference of the moments would be noise.
  if (a > 9) return { mean: from, variance: 0 };
  if (b < -9) return { mean: to, variance: 0 };
  const below = cumulative(a);
  const above = cumulative(-b);
  const inside = Math.max(0, 1 - below - above);
  const [pa, pb] = [density(a), density(b)];
  // An infinite end has no mass and no density: 0 · ∞ must not appear. Moments are taken around the mean, so that
  // nothing cancels when the mean is large next to the deviation.
  const [u, v] = [below > 0 ? a : 0, above > 0 ? b : 0];
  const first = u * below + v * above + pa - pb;
  const second =
    u * u * below + v * v * above + inside + (Number.isFinite(a) ? a * pa : 0) - (Number.isFinite(b) ? b * pb : 0);
  return { mean: mean + deviation * first, variance: deviation * deviation * Math.max(0, second - first * first) };
}

const nodes = 121;
const reach = 6;

/** Mean and variance of f(x) for x normal, clipped to from … to: the trapezoid rule over ± 6 deviations. */
export function throughFunction(
  f: (x: number) => number,
  mean: number,
  deviation: number,
  from: number,
  to: number,
): MeanAndVariance {
  let [weights, first, second] = [0, 0, 0];
  const at = (x: number) => f(Math.min(Math.max(x, from), to));
  const middle = at(mean);
  for (let i = 0; i < nodes; i++) {
    const z = reach * ((2 * i) / (nodes - 1) - 1);
    const weight = density(z);
    const y = at(mean + z * deviation) - middle;
    weights += weight;
    first += weight * y;
    second += weight * y * y;
  }
  first /= weights;
  return { mean: middle + first, variance: Math.max(0, second / weights - first * first) };
}

/** The numbers below which 1/2n, 3/2n, 5/2n … of a standard normal distribution lie, n of them, symmetric. */
export function quantiles(n: number): Float64Array {
  const found = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const share = (i + 0.5) / n;
    let [low, high] = [-40, 40];
    while (high - low > 1e-12) {
      const middle = (low + high) / 2;
      if (cumulative(middle) < share) low = middle;
      else high = middle;
    }
    found[i] = (low + high) / 2;
  }
  return found;
}
