/** Activation functions: y = f(x), so dx = dy · f′(x). At kinks the value is the one that PyTorch takes. */
import type { Value } from "../../ir/index.ts";
import type { Emitter } from "../emitter.ts";
import type { Backward, GradientRow, InputGradients } from "../rule.ts";
import { complement, slope } from "./elementwise.ts";

/** Fixed bounds let x pass between them, themselves excluded. Bounds that want a gradient share it with what equals them. */
function clip(b: Backward): InputGradients {
  const [x, low, high] = [b.input(0), b.node.input(1), b.node.input(2)];
  if (!b.wants(1) && !b.wants(2)) return [between(b, low, high)];
  // y = min(max(x, low), high), one after the other.
  const scalar = (value: Value, index: number) => b.reshape(b.sum(value), b.shapeOf(index));
  const raised = low ? b.op("Max", [x, low]) : x;
  const toRaised = high ? b.mul(b.dy, b.ahead(high, raised)) : b.dy;
  const toX = low ? b.mul(toRaised, b.ahead(x, low)) : toRaised;
  return [
    toX,
    b.wants(1) ? scalar(b.sub(toRaised, toX), 1) : null,
    b.wants(2) ? scalar(b.sub(b.dy, toRaised), 2) : null,
  ];
}

/** What flows back where low < y < high. */
function between(b: Backward, low: Value | null, high: Value | null): Value {
  const { dy, y } = b;
  const [from, to] = [low, high].map((value) => value && b.constantOf(value)?.floats()[0]);
  // One mask for both where the middle is of a size that float32 subtracts well.
  if (from != null && to != null && to - from > 0 && Math.max(Math.abs(from), Math.abs(to)) < 256) {
    const middle = Math.fround((from + to) / 2);
    const half = Math.min(Math.fround(to - middle), Math.fround(middle - from));
    return b.mul(dy, b.within(b.sub(y, b.scalar(middle)), half));
  }
  const above = low ? b.mul(dy, b.step(from === 0 ? y : b.sub(y, low))) : dy;
  return high ? b.mul(above, b.step(b.sub(high, y))) : above;
}

function leakyRelu(b: Backward): InputGradients {
  const alpha = b.node.float("alpha", 0.01);
  const x = b.input(0);
  if (alpha >= 0 && alpha <= 1) {
    return [b.mul(b.dy, b.op("Clip", [b.mul(x, 1e38), b.scalar(alpha), b.scalar(1)]))];
  }
  return [b.mul(b.dy, b.add(b.mul(b.step(x), 1 - alpha), b.scalar(alpha)))];
}

/** y = x above zero, s · x elsewhere. */
function pRelu(b: Backward): InputGradients {
  const [x, s] = [b.input(0), b.input(1)];
  const mask = b.step(x);
  const negative = b.op("Min", [x, b.scalar(0)]);
  return [
    b.wants(0) ? b.mul(b.dy, b.add(s, b.mul(mask, complement(b, s)))) : null,
    b.wants(1) ? b.unbroadcast(b.mul(b.dy, negative), b.outShape, b.shapeOf(1)) : null,
  ];
}

/** y = clip(α x + β, 0, 1): α strictly between the ends. */
function hardSigmoid(b: Backward): Value {
  return b.mul(b.within(b.sub(b.y, b.scalar(0.5)), 0.5), b.node.float("alpha", 0.2));
}

/** y = x · clip(x / 6 + 1/2, 0, 1). */
function hardSwish(b: Backward): Value {
  const x = b.input(0);
  const gate = b.op("HardSigmoid", [x], { alpha: { type: "float", value: 1 / 6 } });
  return b.add(gate, b.mul(b.mul(x, b.within(x, 3)), 1 / 6));
}

/** The slope of α (eˣ − 1) below zero and of x above. */
function eluSlope(b: Backward, alpha: number): Value {
  const x = b.input(0);
  const below = b.op("Exp", [b.op("Min", [x, b.scalar(0)])]);
  if (alpha === 1) return below;
  // Above zero the first part is α, and the step makes it one.
  return b.add(b.mul(below, alpha), b.mul(b.step(x), 1 - alpha));
}

/** e^(min(x, 0) / α). */
function celu(b: Backward): Value {
  const scaled = b.mul(b.op("Min", [b.input(0), b.scalar(0)]), 1 / b.node.float("alpha", 1));
  return b.op("Exp", [scaled]);
}

function selu(b: Backward): Value {
  const alpha = b.node.float("alpha", 1.6732632423543772);
  return b.mul(eluSlope(b, alpha), b.node.float("gamma", 1.0507009873554805));
}

/**
 * Gelu (Hendrycks and Gimpel, 2016): y = x · Φ(x), so Φ + x · φ with the normal density φ; or with the approximation
 * Φ ≈ (1 + t) / 2, t = tanh(√(2/π) (x + 0.044715 x³)).
 */
export function geluSlope(b: Emitter, x: Value, approximation: "none" | "tanh"): Value {
  const squared = b.square(x);
  if (approximation === "none") {
    const cumulative = b.mul(b.add(b.op("Erf", [b.mul(x, Math.SQRT1_2)]), b.scalar(1)), 0.5);
    const density = b.mul(b.op("Exp", [b.mul(squared, -0.5)]), 1 / Math.sqrt(2 * Math.PI));
    return b.add(cumulative, b.mul(x, density));
  }
  const root = Math.sqrt(2 / Math.PI);
  const polynomial = (constant: number, quadratic: number) => b.add(b.mul(squared, quadratic), b.scalar(constant));
  const t = b.op("Tanh", [b.mul(x, polynomial(root, root * 0.044715))]);
  const inner = b.mul(x, polynomial(root, root * 3 * 0.044715));
  const half = b.mul(b.add(t, b.scalar(1)), 0.5);
  return b.add(half, b.mul(b.mul(inner, complement(b, b.square(t))), 0.5));
}

/** y = x · t with t = tanh(softplus(x)): t + x · σ(x) · (1 − t²) (Misra, 2019). */
function mish(b: Backward): Value {
  const x = b.input(0);
  const t = b.op("Tanh", [b.op("Softplus", [x])]);
  return b.add(t, b.mul(b.mul(x, b.op("Sigmoid", [x])), complement(b, b.square(t))));
}

/** y = x · σ(α x): s + α y (1 − s). */
function swish(b: Backward): Value {
  const alpha = b.node.float("alpha", 1);
  const x = b.input(0);
  const s = b.op("Sigmoid", [alpha === 1 ? x : b.mul(x, alpha)]);
  const rest = b.mul(b.y, complement(b, s));
  return b.add(s, alpha === 1 ? rest : b.mul(rest, alpha));
}

/** One outside [−λ, λ]. */
function shrink(b: Backward): Value {
  return b.step(b.sub(b.op("Abs", [b.input(0)]), b.scalar(b.node.float("lambd", 0.5))));
}

export const activations = {
  Celu: slope(celu),
  Clip: clip,
  Elu: slope((b) => eluSlope(b, b.node.float("alpha", 1))),
  Gelu: slope((b) => geluSlope(b, b.input(0), b.node.string("approximate", "none") === "tanh" ? "tanh" : "none")),
  HardSigmoid: slope(hardSigmoid),
  HardSwish: slope(hardSwish),
  LeakyRelu: leakyRelu,
  Mish: slope(mish),
  PRelu: pRelu,
  Relu: slope((b) => b.step(b.y)),
  Selu: slope(selu),
  Shrink: slope(shrink),
  Sigmoid: slope((b) => b.mul(b.y, complement(b, b.y))),
  Softplus: slope((b) => b.op("Sigmoid", [b.input(0)])),
  Softsign: slope((b) => b.square(complement(b, b.op("Abs", [b.y])))),
  Swish: slope(swish),
  Tanh: slope((b) => complement(b, b.square(b.y))),
  ThresholdedRelu: slope((b) => b.step(b.sub(b.input(0), b.scalar(b.node.float("alpha", 1))))),
} satisfies Record<string, GradientRow>;
