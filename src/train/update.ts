/** From the flat gradient to the next parameters: accumulation, penalty, clipping, optimizer, bounds. */
import type { Emitter } from "../autodiff/inner.ts";
import { tensorType, type Value } from "../ir/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import type { Buffers } from "./buffers.ts";
import type { FlatLayout } from "./flat.ts";
import { defaultDecay, optimizerState, optimizerStep, type PerElement } from "./optimizer.ts";
import type { ParameterGroup, TrainingSpec } from "./spec.ts";

/** Scalars that a step takes. */
export const stepInputs = {
  /** float32. */
  rate: "train.learning_rate",
  /** int64: how many updates were made before. */
  step: "train.step",
  /** bool; only with gradient accumulation: whether this step ends with an update. */
  update: "train.update",
} as const;

/** What an update is made from. */
export interface UpdatePlace {
  readonly spec: TrainingSpec;
  readonly buffers: Buffers;
  readonly layout: FlatLayout;
  /** The flat parameters of this step. */
  readonly parameters: Value;
  /** Their flat gradient. */
  readonly gradient: Value;
}

/** Appends the update; returns what each buffer becomes, by name. */
export function addUpdate(e: Emitter, place: UpdatePlace): Map<string, Value> {
  const { spec, buffers, layout, parameters, gradient } = place;
  const { accumulate = 1, clipNorm, groups, optimizer } = spec;
  const { graph } = e;
  const length = layout.size;
  const rate = graph.addInput(stepInputs.rate, tensorType("float32", []));
  const step = graph.addInput(stepInputs.step, tensorType("int64", []));
  const stateNames = optimizerState(optimizer);
  const state = stateNames.map((name) => buffers.add(name, new Float32Array(length)));
  const each = (pick: (group: ParameterGroup) => number) => perElement(e, groups, layout, pick);

  const gathered = accumulate > 1 ? e.add(buffers.add("gradients", new Float32Array(length)), gradient) : null;
  const mean = gathered ? e.mul(gathered, 1 / accumulate) : gradient;
  const penalised = withPenalty(
    e,
    mean,
    parameters,
    each((group) => group.l1 ?? 0),
  );
  const stepped = optimizerStep(e, optimizer, {
    parameters,
    gradient: clipNorm === undefined ? penalised : clipped(e, penalised, clipNorm),
    state,
    rate,
    update: e.add(step, e.constant(Tensor.scalar(1, "int64"))),
    rateFactor: each((group) => group.rate ?? 1),
    weightDecay: each((group) => group.weightDecay ?? defaultDecay(optimizer)),
  });
  const bounded = withBounds(e, stepped.parameters, groups, each);
  const next = new Map<string, Value>([["parameters", bounded]]);
  stateNames.forEach((name, i) => {
    next.set(name, stepped.state[i]!);
  });
  if (!gathered) return next;
  const update = graph.addInput(stepInputs.update, tensorType("bool", []));
  const held = new Map([...next].map(([name, value]) => [name, [value, buffers.value(name)] as const]));
  held.set("gradients", [e.filled([length], 0), gathered]);
  return new Map([...held].map(([name, [done, kept]]) => [name, e.op("Where", [update, done, kept])]));
}

/** g + λ · sign(p): the gradient of the loss with λ · Σ |p| added. */
function withPenalty(e: Emitter, gradient: Value, parameters: Value, l1: PerElement): Value {
  return l1 === 0 ? gradient : e.add(gradient, e.mul(e.op("Sign", [parameters]), l1));
}

/** g · min(1, limit / (‖g‖ + 1e-6)), as PyTorch's `clip_grad_norm_` (Pascanu, Mikolov and Bengio, 2013). */
function clipped(e: Emitter, gradient: Value, limit: number): Value {
  const norm = e.op("ReduceL2", [gradient], { keepdims: 0 });
  const ratio = e.div(e.scalar(limit), e.add(norm, e.scalar(1e-6)));
  return e.mul(gradient, e.op("Min", [ratio, e.scalar(1)]));
}

function withBounds(
  e: Emitter,
  parameters: Value,
  groups: readonly ParameterGroup[],
  each: (pick: (group: ParameterGroup) => number) => PerElement,
): Value {
  if (groups.every((group) => group.atLeast === undefined)) return parameters;
  const lowest = -3.4028234663852886e38;
  const bound = each((group) => group.atLeast ?? lowest);
  return e.op("Max", [parameters, typeof bound === "number" ? e.scalar(bound) : bound]);
}

/** One number per element of the flat parameters from one number per group. */
function perElement(
  e: Emitter,
  groups: readonly ParameterGroup[],
  layout: FlatLayout,
  pick: (group: ParameterGroup) => number,
): PerElement {
  const numbers = groups.map(pick);
  if (new Set(numbers).size <= 1) return numbers[0] ?? 0;
  const flat = new Float32Array(layout.size);
  const ofName = new Map(groups.flatMap((group, i) => group.names.map((name) => [name, numbers[i]!] as const)));
  for (const { name, offset, size } of layout.entries) flat.fill(ofName.get(name)!, offset, offset + size);
  return e.graph.addInitializer("train.per_element", Tensor.float32([flat.length], flat));
}
