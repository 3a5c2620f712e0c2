/**
 * Optimizers as ONNX nodes on flat buffers, with the formulas of PyTorch's `torch.optim`: SGD with momentum (Sutskever et al.,
 * 2013, in PyTorch's form, where the rate multiplies the velocity), Adam (Kingma and Ba, 2015, algorithm 1) and AdamW
 * (Loshchilov and Hutter, 2019, algorithm 2).
 */
import type { Emitter } from "../autodiff/inner.ts";
import type { Value } from "../ir/inner.ts";
import { Tensor } from "../tensor/inner.ts";

export type Optimizer =
  | {
      readonly kind: "sgd";
      /** Default 0. */
      readonly momentum?: number;
      /** Whether the step looks ahead by the momentum. Default false. */
      readonly nesterov?: boolean;
      /** Default 0; a group may have its own. */
      readonly weightDecay?: number;
    }
  | {
      /** Weight decay is part of the gradient (adam, default 0) or shrinks the weights by itself (adamw, default 0.01). */
      readonly kind: "adam" | "adamw";
      /** Default 0.9 and 0.999. */
      readonly betas?: readonly [number, number];
      /** Default 1e-8. */
      readonly epsilon?: number;
      readonly weightDecay?: number;
    };

/** Names of the flat buffers that an optimizer carries from step to step; they begin as zeros. */
export function optimizerState(optimizer: Optimizer): readonly string[] {
  if (optimizer.kind === "sgd") return optimizer.momentum ? ["velocity"] : [];
  return ["first_moment", "second_moment"];
}

/** A number per element of the flat buffer: one for all, or a constant as long as the buffer. */
export type PerElement = number | Value;

/** What the nodes of a step read. Flat values have the length of the parameters. */
export interface StepValues {
  readonly parameters: Value;
  readonly gradient: Value;
  readonly state: readonly Value[];
  /** Scalar. */
  readonly rate: Value;
  /** Number of this update as int64 scalar; the first is 1. */
  readonly update: Value;
  readonly rateFactor: PerElement;
  readonly weightDecay: PerElement;
}

export interface Stepped {
  readonly parameters: Value;
  readonly state: readonly Value[];
}

/** The decay of a group that does not say its own. */
export function defaultDecay(optimizer: Optimizer): number {
  return optimizer.weightDecay ?? (optimizer.kind === "adamw" ? 0.01 : 0);
}

/** Appends one update. */
export function optimizerStep(e: Emitter, optimizer: Optimizer, values: StepValues): Stepped {
  return optimizer.kind === "sgd" ? sgdStep(e, optimizer, values) : adamStep(e, optimizer, values);
}

function sgdStep(e: Emitter, optimizer: Optimizer & { kind: "sgd" }, values: StepValues): Stepped {
  const { momentum = 0, nesterov = false } = optimizer;
  const { parameters, state } = values;
  const gradient = decayed(e, values);
  const rate = times(e, values.rate, values.rateFactor);
  const moved = (direction: Value) => e.sub(parameters, e.mul(direction, rate));
  if (momentum === 0) return { parameters: moved(gradient), state: [] };
  const velocity = e.add(e.mul(state[0]!, momentum), gradient);
  const direction = nesterov ? e.add(gradient, e.mul(velocity, momentum)) : velocity;
  return { parameters: moved(direction), state: [velocity] };
}

function adamStep(e: Emitter, optimizer: Optimizer & { kind: "adam" | "adamw" }, values: StepValues): Stepped {
  const { kind, epsilon = 1e-8 } = optimizer;
  const [beta1, beta2] = optimizer.betas ?? [0.9, 0.999];
  const gradient = kind === "adam" ? decayed(e, values) : values.gradient;
  const [m, v] = values.state as [Value, Value];
  const first = e.add(e.mul(m, beta1), e.mul(gradient, 1 - beta1));
  const second = e.add(e.mul(v, beta2), e.mul(e.square(gradient), 1 - beta2));
  const rate = times(e, values.rate, values.rateFactor);
  const deviation = e.div(e.op("Sqrt", [second]), e.op("Sqrt", [correction(e, beta2, values.update)]));
  const step = e.div(
    e.mul(first, e.div(rate, correction(e, beta1, values.update))),
    e.add(deviation, e.scalar(epsilon)),
  );
  const shrunk =
    kind === "adamw" && values.weightDecay !== 0
      ? e.mul(values.parameters, e.sub(e.scalar(1), times(e, rate, values.weightDecay)))
      : values.parameters;
  return { parameters: e.sub(shrunk, step), state: [first, second] };
}

/** g + λ · p. */
function decayed(e: Emitter, { gradient, parameters, weightDecay }: StepValues): Value {
  return weightDecay === 0 ? gradient : e.add(gradient, times(e, parameters, weightDecay));
}

/** 1 − βᵗ as float32, computed in float64: 1 − 0.999 has lost two digits in float32. */
function correction(e: Emitter, beta: number, update: Value): Value {
  const power = e.op("Pow", [float64(e, beta), e.op("Cast", [update], { to: 11 })]);
  return e.asFloat(e.sub(float64(e, 1), power));
}

function float64(e: Emitter, value: number): Value {
  return e.constant(Tensor.of("float64", [], Float64Array.of(value)));
}

function times(e: Emitter, value: Value, factor: PerElement): Value {
  return factor === 1 ? value : e.mul(value, factor);
}
