/** ATen's activation functions. */
import type { Term } from "../../channels-last/term.ts";
import type { Call, Row } from "../call.ts";

const one =
  (op: string, attributes: (c: Call) => Readonly<Record<string, number | string>> = () => ({})): Row =>
  (c) =>
    c.give(op, [c.t("self")], attributes(c));

const clip =
  (low: (c: Call) => number, high: (c: Call) => number): Row =>
  (c) => {
    const { dtype } = c.out();
    return c.give("Clip", [c.t("self"), c.scalar(low(c), dtype), c.scalar(high(c), dtype)]);
  };

const soft =
  (op: "Softmax" | "LogSoftmax"): Row =>
  (c) => {
    const { dtype, shape } = c.out();
    const self = c.cast(c.t("self"), dtype);
    if (shape.length === 0) throw c.fail("a softmax of a single number");
    return c.give(op, [self], { axis: c.axis("dim", shape.length) });
  };

/** One slope for all channels, or one for each of axis 1. */
const prelu: Row = (c) => {
  const [self, weight] = [c.t("self"), c.t("weight")];
  const rank = self.shape.length;
  const isShared = weight.shape.every((length) => length === 1) || rank < 2;
  if (isShared || weight.shape.length !== 1) return c.give("PRelu", [self, weight]);
  const shape = [weight.shape[0]!, ...new Array<number>(rank - 2).fill(1)];
  if (weight.constant) {
    const lengths = shape as number[];
    return c.give("PRelu", [self, c.e.initializer({ tensor: weight.constant, shape: lengths }, [0])]);
  }
  return c.give("PRelu", [self, c.reshape(weight, shape)]);
};

const softplus: Row = (c) => {
  const { dtype } = c.out();
  const [self, beta] = [c.t("self"), c.number("beta", 1)];
  if (beta === 1) return c.give("Softplus", [self]);
  return c.give("Div", [
    c.emit("Softplus", [c.emit("Mul", [self, c.scalar(beta, dtype)]).output]).output,
    c.scalar(beta, dtype),
  ]);
};

const elu: Row = (c) => {
  const [scale, inner] = [c.number("scale", 1), c.number("input_scale", 1)];
  const alpha = c.number("alpha", 1);
  if (inner === 1 && scale === 1) return c.give("Elu", [c.t("self")], { alpha });
  if (inner === 1)
    return c.give("Mul", [c.emit("Elu", [c.t("self")], { alpha }).output, c.scalar(scale, c.out().dtype)]);
  if (scale === 1 && Math.abs(alpha * inner - 1) < 1e-6) return c.give("Celu", [c.t("self")], { alpha });
  throw c.fail("scales of elu");
};

/** max(0, x) + min(0, α · (exp(x / α) − 1)). */
const celu: Row = (c) => {
  const { dtype } = c.out();
  const alpha = c.number("alpha", 1);
  if (alpha === 1) return c.give("Elu", [c.t("self")], { alpha: 1 });
  if (dtype === "float32") return c.give("Celu", [c.t("self")], { alpha });
  throw c.fail(`celu of ${dtype}`);
};

/** Halves of one axis, the first times the sigmoid of the second. */
const glu: Row = (c) => {
  const self = c.t("self");
  const axis = c.axis("dim", self.shape.length, -1);
  const [a, b] = c.emit("Split", [self], { axis, num_outputs: 2 }, 2).outputs;
  return c.give("Mul", [a, c.emit("Sigmoid", [b]).output]);
};

const silu = (c: Call, self: Term) => c.give("Mul", [self, c.emit("Sigmoid", [self]).output]);

export const activations: Readonly<Record<string, Row>> = {
  relu: one("Relu"),
  relu6: clip(
    () => 0,
    () => 6,
  ),
  hardtanh: clip(
    (c) => c.number("min_val", -1),
    (c) => c.number("max_val", 1),
  ),
  sigmoid: one("Sigmoid"),
  tanh: one("Tanh"),
  silu: (c) => silu(c, c.t("self")),
  mish: one("Mish"),
  hardswish: one("HardSwish"),
  hardsigmoid: one("HardSigmoid", () => ({ alpha: 1 / 6, beta: 0.5 })),
  gelu: one("Gelu", (c) => ({ approximate: c.text("approximate", "none") })),
  leaky_relu: one("LeakyRelu", (c) => ({ alpha: c.number("negative_slope", 0.01) })),
  elu,
  celu,
  selu: one("Selu"),
  prelu,
  _prelu_kernel: (c) => c.give("PRelu", [c.t("self"), c.t("weight")]),
  rrelu: one("LeakyRelu", (c) => ({ alpha: (c.number("lower", 1 / 8) + c.number("upper", 1 / 3)) / 2 })),
  softplus,
  log_sigmoid: (c) => c.give("Neg", [c.emit("Softplus", [c.emit("Neg", [c.t("self")]).output]).output]),
  log_sigmoid_forward: (c) => [c.give("Neg", [c.emit("Softplus", [c.emit("Neg", [c.t("self")]).output]).output])],
  softsign: one("Softsign"),
  hardshrink: one("Shrink", (c) => ({ lambd: c.number("lambd", 0.5), bias: 0 })),
  softshrink: one("Shrink", (c) => ({ lambd: c.number("lambd", 0.5), bias: c.number("lambd", 0.5) })),
  threshold: (c) => {
    const { dtype } = c.out();
    const above = c.emit("Greater", [c.t("self"), c.scalar(c.number("threshold"), dtype)]).output;
    return c.give("Where", [above, c.t("self"), c.scalar(c.number("value"), dtype)]);
  },
  softmax: soft("Softmax"),
  _softmax: soft("Softmax"),
  log_softmax: soft("LogSoftmax"),
  _log_softmax: soft("LogSoftmax"),
  glu,
};
