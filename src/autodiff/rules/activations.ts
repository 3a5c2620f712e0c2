import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const activations = {
  Celu: pending,
  Clip: pending,
  Elu: pending,
  Gelu: pending,
  HardSigmoid: pending,
  HardSwish: pending,
  LeakyRelu: pending,
  Mish: pending,
  PRelu: pending,
  Relu: pending,
  Selu: pending,
  Shrink: pending,
  Sigmoid: pending,
  Softplus: pending,
  Softsign: pending,
  Swish: pending,
  Tanh: pending,
  ThresholdedRelu: pending,
} satisfies Record<string, GradientRow>;
