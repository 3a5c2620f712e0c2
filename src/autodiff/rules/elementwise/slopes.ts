/**
 * f′ of the functions that stand as operators, as gates of recurrent ones and inside fused ones, written from x or from y,
 * whichever is shorter. At kinks the value is the one that PyTorch takes.
 */
import type { Value } from "../../../ir/inner.ts";
import type { Emitter } from "../../emitter.ts";

/** 1 − a. */
export function complement(e: Emitter, a: Value): Value {
  return e.sub(e.scalar(1), a);
}

export function sigmoidSlope(e: Emitter, y: Value): Value {
  return e.mul(y, complement(e, y));
}

export function tanhSlope(e: Emitter, y: Value): Value {
  return complement(e, e.square(y));
}

/** y = x / (1 + |x|): (1 − |y|)². */
export function softsignSlope(e: Emitter, y: Value): Value {
  return e.square(complement(e, e.op("Abs", [y])));
}

/** One above zero, α elsewhere. */
export function leakySlope(e: Emitter, x: Value, alpha: number): Value {
  if (alpha >= 0 && alpha <= 1) return e.op("Clip", [e.mul(x, 1e38), e.scalar(alpha), e.scalar(1)]);
  return e.add(e.mul(e.step(x), 1 - alpha), e.scalar(alpha));
}

/** y = clip(α x + β, 0, 1): α strictly between the ends. */
export function hardSigmoidSlope(e: Emitter, y: Value, alpha: number): Value {
  return e.mul(between(e, y, 0, 1), alpha);
}

/** One where low < y < high. In one mask where the middle is of a size that float32 subtracts well. */
export function between(e: Emitter, y: Value, low: number, high: number): Value {
  if (high > low && Math.max(Math.abs(low), Math.abs(high)) < 256) {
    const middle = Math.fround((low + high) / 2);
    const half = Math.min(Math.fround(high - middle), Math.fround(middle - low));
    return e.within(e.sub(y, e.scalar(middle)), half);
  }
  return e.mul(e.step(e.sub(y, e.scalar(low))), e.step(e.sub(e.scalar(high), y)));
}

/** α eˣ below zero and one above, for α (eˣ − 1) and x. */
export function eluSlope(e: Emitter, x: Value, alpha: number): Value {
  const below = e.op("Exp", [e.op("Min", [x, e.scalar(0)])]);
  if (alpha === 1) return below;
  // Above zero the first part is α, and the step makes it one.
  return e.add(e.mul(below, alpha), e.mul(e.step(x), 1 - alpha));
}

/** y = x · σ(α x): s + α y (1 − s). */
export function swishSlope(e: Emitter, x: Value, y: Value, alpha: number): Value {
  const s = e.op("Sigmoid", [alpha === 1 ? x : e.mul(x, alpha)]);
  const rest = e.mul(y, complement(e, s));
  return e.add(s, alpha === 1 ? rest : e.mul(rest, alpha));
}

/** y = x · t with t = tanh(softplus(x)): t + x · σ(x) · (1 − t²) (Misra, 2019). */
export function mishSlope(e: Emitter, x: Value): Value {
  const t = e.op("Tanh", [e.op("Softplus", [x])]);
  return e.add(t, e.mul(e.mul(x, e.op("Sigmoid", [x])), tanhSlope(e, t)));
}

/**
 * Gelu (Hendrycks and Gimpel, 2016): y = x · Φ(x), so Φ + x · φ with the normal density φ; or with the approximation
 * Φ ≈ (1 + t) / 2, t = tanh(√(2/π) (x + 0.044715 x³)).
 */
export function geluSlope(e: Emitter, x: Value, approximation: "none" | "tanh"): Value {
  const squared = e.square(x);
  if (approximation === "none") {
    const cumulative = e.mul(e.add(e.op("Erf", [e.mul(x, Math.SQRT1_2)]), e.scalar(1)), 0.5);
    const density = e.mul(e.op("Exp", [e.mul(squared, -0.5)]), 1 / Math.sqrt(2 * Math.PI));
    return e.add(cumulative, e.mul(x, density));
  }
  const root = Math.sqrt(2 / Math.PI);
  const polynomial = (constant: number, quadratic: number) => e.add(e.mul(squared, quadratic), e.scalar(constant));
  const t = e.op("Tanh", [e.mul(x, polynomial(root, root * 0.044715))]);
  const inner = e.mul(x, polynomial(root, root * 3 * 0.044715));
  const half = e.mul(e.add(t, e.scalar(1)), 0.5);
  return e.add(half, e.mul(e.mul(inner, tanhSlope(e, t)), 0.5));
}
