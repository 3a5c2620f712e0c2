/**
 * AdaRound (Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", 2020): a weight is
 * s·(⌊W/s⌋ + h(α)) with h between 0 and 1, pushed to either end while the layer's error is minimised. Plain formulas on
 * numbers, readable next to the paper; `graph.ts` runs the same as an ONNX graph.
 */

/** Stretch of the rectified sigmoid (section 3.2): h reaches 0 and 1 for finite α. */
export const zeta = 1.1;
export const gamma = -0.1;

/** h(α) = clip(σ(α)(ζ − γ) + γ, 0, 1), eq. (23). */
export function rectifiedSigmoid(alpha: number): number {
  return Math.min(1, Math.max(0, (zeta - gamma) / (1 + Math.exp(-alpha)) + gamma));
}

/** The α with h(α) = rest: where the search starts, so that the soft weight is the float one. `rest` is kept off 0 and 1. */
export function alphaOf(rest: number): number {
  const kept = Math.min(0.999, Math.max(0.001, rest));
  return -Math.log((zeta - gamma) / (kept - gamma) - 1);
}

export interface Annealing {
  readonly iterations: number;
  /** Share of the iterations without the rounding term. */
  readonly warmStart: number;
  readonly betaStart: number;
  readonly betaEnd: number;
}

/** β of eq. (24), annealed by a cosine after the warm start: high values leave most h free, low ones push them to the ends. */
export function betaAt(iteration: number, { iterations, warmStart, betaStart, betaEnd }: Annealing): number {
  const warm = warmStart * iterations;
  const progress = (iteration - warm) / (iterations - warm);
  return betaEnd + ((betaStart - betaEnd) / 2) * (1 + Math.cos(progress * Math.PI));
}

/** λ Σ (1 − |2h − 1|^β), eq. (24); zero during the warm start. */
export function roundingLoss(
  alphas: ArrayLike<number>,
  iteration: number,
  lambda: number,
  annealing: Annealing,
): number {
  if (iteration < annealing.warmStart * annealing.iterations) return 0;
  const beta = betaAt(iteration, annealing);
  let sum = 0;
  for (let i = 0; i < alphas.length; i++) sum += 1 - Math.abs(2 * rectifiedSigmoid(alphas[i]!) - 1) ** beta;
  return lambda * sum;
}

/** dh/dα: zero where h is clipped. */
export function rectifiedSlope(alpha: number): number {
  const sigmoid = 1 / (1 + Math.exp(-alpha));
  const raw = sigmoid * (zeta - gamma) + gamma;
  return raw > 0 && raw < 1 ? (zeta - gamma) * sigmoid * (1 - sigmoid) : 0;
}

/** d/dh of λ (1 − |2h − 1|^β). */
export function roundingSlope(h: number, beta: number, lambda: number): number {
  const u = 2 * h - 1;
  return -2 * lambda * beta * Math.abs(u) ** (beta - 1) * Math.sign(u);
}

/** Mean over batch and positions of Σ over channels (y − ŷ)²; both [batch, channels, ...rest]. */
export function reconstructionLoss(y: ArrayLike<number>, other: ArrayLike<number>, channels: number): number {
  let sum = 0;
  for (let i = 0; i < y.length; i++) sum += (y[i]! - other[i]!) ** 2;
  return (sum * channels) / y.length;
}
