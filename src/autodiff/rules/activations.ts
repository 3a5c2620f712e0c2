/** Activation functions: y = f(x), so dx = dy · f′(x). At kinks the value is the one that PyTorch takes. */
import type { Value } from "../../ir/index.ts";
import type { Backward, GradientRow, InputGradients } from "../rule.ts";
import { complement, slope } from "./elementwise.ts";
import { pending } from "./pending.ts";

/** Inside the bounds, both included, x passes; the bounds get what lies outside. */
function clip(b: Backward): InputGradients {
  const [x, low, high] = [b.input(0), b.node.input(1), b.node.input(2)];
  const inside = b.mul(b.dy, b.same(x, b.y));
  const outside = b.sub(b.dy, inside);
  const below = () => b.mul(outside, b.step(b.sub(low!, x)));
  const above = () => b.mul(outside, b.step(b.sub(x, high!)));
  // Where the bounds have crossed, the upper one wins.
  const toLow = () => (high ? b.mul(below(), complement(b, b.step(b.sub(low!, high)))) : below());
  const toHigh = () => (low ? b.sub(outside, toLow()) : above());
  const scalar = (value: Value, index: number) => b.reshape(b.sum(value), b.shapeOf(index));
  return [inside, b.wants(1) ? scalar(toLow(), 1) : null, b.wants(2) ? scalar(toHigh(), 2) : null];
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

export const activations = {
  Celu: pending,
  Clip: clip,
  Elu: pending,
  Gelu: pending,
  HardSigmoid: slope(hardSigmoid),
  HardSwish: slope(hardSwish),
  LeakyRelu: leakyRelu,
  Mish: pending,
  PRelu: pRelu,
  Relu: slope((b) => b.step(b.y)),
  Selu: pending,
  Shrink: pending,
  Sigmoid: slope((b) => b.mul(b.y, complement(b, b.y))),
  Softplus: pending,
  Softsign: pending,
  Swish: pending,
  Tanh: slope((b) => complement(b, b.square(b.y))),
  ThresholdedRelu: pending,
} satisfies Record<string, GradientRow>;
