/** The plan after layers got biases: a bias that placement has not seen gets the entry that placement would give. */

import { keepsGrid, type Layer } from "../../facts/inner.ts";
import type { Value } from "../../ir/inner.ts";
import {
  biasEncoding,
  biasEntry,
  type Encoding,
  entriesByValue,
  isIntGrid,
  type NotQuantized,
  type Plan,
  type PlanEntry,
  type Target,
} from "../../quant/inner.ts";

export interface NewBias {
  readonly layer: Layer;
  readonly bias: Value;
}

/** Entries stand behind that of the layer's weight. Without a target the plan's own biases say where biases are stored. */
export function withBiases(plan: Plan, biases: readonly NewBias[], target: Target | undefined): Plan {
  const entries = entriesByValue(plan);
  const left = new Set(plan.notQuantized.map((one) => one.value));
  const storage = target?.bias ?? (plan.entries.some((entry) => entry.kind === "bias") ? "int32" : "float");
  const behind = new Map<string, PlanEntry>();
  const more: NotQuantized[] = [];
  for (const { layer, bias } of biases) {
    if (entries.has(bias.name) || left.has(bias.name)) continue;
    const made = storage === "int32" ? integerBias(layer, bias, entries) : `the target keeps biases in float`;
    if (typeof made === "string") more.push({ value: bias.name, reason: made });
    else behind.set(layer.weight.value.name, made);
  }
  return {
    ...plan,
    entries: plan.entries.flatMap((entry) => [entry, ...(behind.has(entry.value) ? [behind.get(entry.value)!] : [])]),
    notQuantized: [...plan.notQuantized, ...more],
  };
}

function integerBias(layer: Layer, bias: Value, entries: ReadonlyMap<string, PlanEntry>): PlanEntry | string {
  const { node } = layer;
  const weight = entries.get(layer.weight.value.name);
  const input = entryOf(node.input(0), entries);
  if (!weight?.encoding || !isIntGrid(weight.grid) || !input?.encoding) {
    return "the bias cannot share the scales of input and weight";
  }
  if (layer.weight.value.useCount > 1) return "several operators share it or its weight, each with its own input scale";
  if (node.op === "Gemm" && (node.float("alpha", 1) !== 1 || node.float("beta", 1) !== 1)) {
    return "alpha or beta of Gemm scale it";
  }
  const encoding: Encoding = biasEncoding(input.encoding, weight.encoding, bias.initializer!.size);
  return { ...biasEntry(node.op, bias.name, input.sharesEncodingOf ?? input.value, weight), encoding };
}

/** The entry that holds for a value: its own, or that of what it was moved from. */
function entryOf(value: Value | null, entries: ReadonlyMap<string, PlanEntry>): PlanEntry | undefined {
  if (!value) return undefined;
  const found = entries.get(value.name);
  if (found) return found;
  const source = value.producer;
  return source && keepsGrid(source) ? entryOf(source.input(0), entries) : undefined;
}
