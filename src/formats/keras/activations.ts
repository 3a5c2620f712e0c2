/** Activations by name, as layers have them in their settings and as layers of their own. */
import { alongAxis } from "../channels-last/axes.ts";
import { elementwise, unary } from "../channels-last/elementwise.ts";
import type { Emitter } from "../channels-last/emitter.ts";
import type { Term } from "../channels-last/term.ts";
import { isRecord } from "./config.ts";

const float = (value: number) => ({ type: "float", value }) as const;

const scalar = (e: Emitter, x: Term, value: number) => e.numbers(value, x.dtype);

/** x between two numbers. */
export function clipped(e: Emitter, x: Term, least: number, most: number): Term {
  return unary(
    e,
    "Clip",
    x,
    {},
    x.dtype,
    [least, most].map((end) => e.value(scalar(e, x, end))),
  );
}

/** The HardSigmoid of Keras 3 is relu6(x + 3) / 6, that of Keras 2 clip(0.2 x + 0.5). */
export const hardSigmoidSlope = (version: number): number => (version >= 3 ? 1 / 6 : 0.2);

const silu = (e: Emitter, x: Term) => elementwise(e, "Mul", [x, unary(e, "Sigmoid", x)]);

export const activations: Readonly<Record<string, (e: Emitter, x: Term, version: number) => Term>> = {
  linear: (_, x) => x,
  relu: (e, x) => unary(e, "Relu", x),
  relu6: (e, x) => clipped(e, x, 0, 6),
  sigmoid: (e, x) => unary(e, "Sigmoid", x),
  tanh: (e, x) => unary(e, "Tanh", x),
  softmax: (e, x) => alongAxis(e, "Softmax", x, -1),
  log_softmax: (e, x) => alongAxis(e, "LogSoftmax", x, -1),
  elu: (e, x) => unary(e, "Elu", x),
  selu: (e, x) => unary(e, "Selu", x),
  softplus: (e, x) => unary(e, "Softplus", x),
  softsign: (e, x) => unary(e, "Softsign", x),
  exponential: (e, x) => unary(e, "Exp", x),
  gelu: (e, x) => unary(e, "Gelu", x),
  swish: silu,
  silu,
  mish: (e, x) => unary(e, "Mish", x),
  hard_sigmoid: (e, x, version) =>
    unary(e, "HardSigmoid", x, { alpha: float(hardSigmoidSlope(version)), beta: float(0.5) }),
  hard_silu: (e, x) => unary(e, "HardSwish", x),
  hard_swish: (e, x) => unary(e, "HardSwish", x),
  leaky_relu: (e, x) => unary(e, "LeakyRelu", x, { alpha: float(0.2) }),
  hard_tanh: (e, x) => clipped(e, x, -1, 1),
  log_sigmoid: (e, x) => unary(e, "Neg", unary(e, "Softplus", unary(e, "Neg", x))),
};

/** The name of an activation: a text, or an object of Keras with one. */
export function activationName(value: unknown): string | undefined {
  if (value === null || value === undefined) return "linear";
  if (typeof value === "string") return value.toLowerCase();
  if (!isRecord(value)) return undefined;
  if (typeof value.config === "string") return value.config.toLowerCase();
  return typeof value.class_name === "string" ? value.class_name.toLowerCase() : undefined;
}

/** Applies the activation of a setting. Throws `import/unsupported-operator` for one that is not known. */
export function activated(e: Emitter, x: Term, value: unknown, version: number): Term {
  const name = activationName(value);
  if (name === undefined || !Object.hasOwn(activations, name)) {
    throw e.fail(`expected one of Keras' activations, got ${name ?? JSON.stringify(value)?.slice(0, 60)}`);
  }
  return activations[name]!(e, x, version);
}
