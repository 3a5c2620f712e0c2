/** Activation functions: y = f(x), so dx = dy · f′(x). At kinks the value is the one that PyTorch takes. */
import type { Value } from "../../../ir/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";
import { slope } from "./elementwise.ts";
import {
  between,
  complement,
  eluSlope,
  geluSlope,
  hardSigmoidSlope,
  leakySlope,
  mishSlope,
  sigmoidSlope,
  softsignSlope,
  swishSlope,
  tanhSlope,
} from "./slopes.ts";

/** Fixed bounds let x pass between them, themselves excluded. Bounds that want a gradient share it with what equals them. */
function clip(b: Backward): InputGradients {
  const [x, low, high] = [b.input(0), b.node.input(1), b.node.input(2)];
  if (!b.wants(1) && !b.wants(2)) return [inside(b, low, high)];
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

/** What flows back between bounds; those that are computed or absent take a mask each. */
function inside(b: Backward, low: Value | null, high: Value | null): Value {
  const { dy, y } = b;
  const [from, to] = [low, high].map((value) => value && b.constantOf(value)?.floats()[0]);
  if (from != null && to != null) return b.mul(dy, between(b, y, from, to));
  const above = low ? b.mul(dy, b.step(from === 0 ? y : b.sub(y, low))) : dy;
  return high ? b.mul(above, b.step(b.sub(high, y))) : above;
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

/** y = x · clip(x / 6 + 1/2, 0, 1). */
function hardSwish(b: Backward): Value {
  const x = b.input(0);
  const gate = b.op("HardSigmoid", [x], { alpha: { type: "float", value: 1 / 6 } });
  return b.add(gate, b.mul(b.mul(x, b.within(x, 3)), 1 / 6));
}

/** e^(min(x, 0) / α). */
function celu(b: Backward): Value {
  const scaled = b.mul(b.op("Min", [b.input(0), b.scalar(0)]), 1 / b.node.float("alpha", 1));
  return b.op("Exp", [scaled]);
}

function selu(b: Backward): Value {
  const alpha = b.node.float("alpha", 1.6732632423543772);
  return b.mul(eluSlope(b, b.input(0), alpha), b.node.float("gamma", 1.0507009873554805));
}

/** One outside [−λ, λ]. */
function shrink(b: Backward): Value {
  return b.step(b.sub(b.op("Abs", [b.input(0)]), b.scalar(b.node.float("lambd", 0.5))));
}

export const activations = {
  Celu: slope(celu),
  Clip: clip,
  Elu: slope((b) => eluSlope(b, b.input(0), b.node.float("alpha", 1))),
  Gelu: slope((b) => geluSlope(b, b.input(0), b.node.string("approximate", "none") === "tanh" ? "tanh" : "none")),
  HardSigmoid: slope((b) => hardSigmoidSlope(b, b.y, b.node.float("alpha", 0.2))),
  HardSwish: slope(hardSwish),
  LeakyRelu: slope((b) => leakySlope(b, b.input(0), b.node.float("alpha", 0.01))),
  Mish: slope((b) => mishSlope(b, b.input(0))),
  PRelu: pRelu,
  Relu: slope((b) => b.step(b.y)),
  Selu: slope(selu),
  Shrink: slope(shrink),
  Sigmoid: slope((b) => sigmoidSlope(b, b.y)),
  Softplus: slope((b) => b.op("Sigmoid", [b.input(0)])),
  Softsign: slope((b) => softsignSlope(b, b.y)),
  Swish: slope((b) => swishSlope(b, b.input(0), b.y, b.node.float("alpha", 1))),
  Tanh: slope((b) => tanhSlope(b, b.y)),
  ThresholdedRelu: slope((b) => b.step(b.sub(b.input(0), b.scalar(b.node.float("alpha", 1))))),
} satisfies Record<string, GradientRow>;
