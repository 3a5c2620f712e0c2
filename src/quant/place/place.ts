/** Placement: model and target → a plan without encodings, with a reason for every value that is in it and for every other. */

import { AvocetError, expectArguments } from "../../base/inner.ts";
import { initializerOf } from "../../facts/inner.ts";
import type { Model, TensorType, Value } from "../../ir/inner.ts";
import { Facts } from "../facts.ts";
import type { Grid } from "../grids/codec.ts";
import { isLeftFloat, refuseGrid } from "../grids/usable-grid.ts";
import { withStorage } from "../lower/storage.ts";
import type { LeftFloat, Plan, PlanEntry } from "../plan/plan.ts";
import { floatOnlyNodes } from "../targets/supported-kernels.ts";
import type { Target } from "../targets/target.ts";
import { refuseUnfit } from "./acceptable.ts";
import { layersInBodies } from "./bodies.ts";
import { type ComputedWeight, computedWeights } from "./computed-weights.ts";
import { selectNodes } from "./keep-float.ts";
import { decideByKernel, narrowConvolutions } from "./place-by-kernel.ts";
import { type Decision, decideByRule, type Placement } from "./place-by-rule.ts";
import {
  layerNormPrecision,
  type Precision,
  placeParameters,
  shortScale,
  type WeightGranularity,
} from "./place-parameters.ts";
import { unitsOf } from "./supergroups.ts";
import { type Ties, tiesOf } from "./ties.ts";

export interface PlaceOptions {
  /** Element type and shape of every value as it runs, from `traceShapes`. */
  readonly shapes: ReadonlyMap<string, TensorType>;
  /** Grid of the weights. Default: the target's. */
  readonly weights?: Grid | undefined;
  /** Grid of the activations. Default: the target's. */
  readonly activations?: Grid | undefined;
  /** What shares one scale of a weight. Default: what the target prefers for the operator. */
  readonly granularity?: WeightGranularity | undefined;
  /** What stays in float: names of nodes or values, /regular expressions/, operator types. Default: nothing. */
  readonly keepFloat?: readonly string[] | undefined;
  /**
   * Whether scales of grids of 8 bits and fewer may be chosen so that integer kernels are exact (short-scale.ts), unless the target
   * forbids it. Default false: ranges of AIMET's schemes give AIMET's scales.
   */
  readonly exactScales?: boolean | undefined;
}

/**
 * Decides which values get a quantizer. Batch norms should be folded and constants hoisted first. Throws
 * `quant/already-quantized`, `quant/unsupported-model`, `quant/no-such-value` for a selector that matches nothing,
 * `quant/unsupported-grid`, `quant/unsupported-granularity` for a block size that divides the inputs of no layer, and
 * `quant/nothing-to-quantize`.
 */
export function place(model: Model, target: Target, options: PlaceOptions): Plan {
  expectArguments("place(model, target, options)", {
    model: [model, "model"],
    target: [target, "target"],
    options: [options, "shapes"],
  });
  refuseUnfit(model);
  const at = model.source ?? model.graph.name;
  const [grid, weights] = [options.activations ?? target.activations, options.weights ?? target.weights];
  refuseGrid(grid, "activation", at);
  refuseGrid(weights, "weight", at);
  const facts = new Facts(model, options.shapes);
  const kept = new Map(
    [...selectNodes(model, options.keepFloat ?? [])].map(([node, selector]) => [
      node,
      `you asked for ${selector} to stay in float`,
    ]),
  );
  for (const [node, reason] of floatOnlyNodes(facts, target, weights, grid, (one) => kept.has(one)))
    kept.set(node, reason);
  const exact = target.shortScales !== false && options.exactScales === true;
  const short = (exact || target.shortScales) === true;
  const placement: Placement = {
    facts,
    target,
    kept,
    units: unitsOf(facts, target, (node) => kept.has(node)),
    narrow: target.kernels ? narrowConvolutions(facts, target.kernels) : new Map(),
  };
  const decided = target.kernels ? decideByKernel(placement, target.kernels) : decideByRule(placement);
  const parameters = placeParameters(placement, decided, {
    weights,
    activations: grid,
    granularity: options.granularity,
    shortScales: short,
  });
  // What layers give has the coarsest scales; those of sums must suit what is added (halfway-sums.ts).
  const shortOf = (value: Value) => short && (exact && !isSum(value, placement) ? "coarse" : true);
  const ties = tiesOf(placement, decided);
  const computed = computedWeights(placement, decided, ties.heads, grid);
  const entries: PlanEntry[] = [];
  const left: LeftFloat[] = [];
  for (const value of inReadingOrder(model)) {
    const parameter = parameters.get(value);
    if (parameter) {
      if ("left" in parameter) left.push({ value: value.name, reason: parameter.left });
      else entries.push(parameter);
      continue;
    }
    const decision = decided.get(value);
    if (!decision) continue;
    if (!decision.on) left.push({ value: value.name, reason: decision.reason });
    else if (isLeftFloat(grid)) left.push({ value: value.name, reason: "you asked for activations in float" });
    else if (initializerOf(value)) {
      const precision =
        decision.gainOf === "layer" && !isLeftFloat(weights)
          ? layerNormPrecision(weights, target)
          : { grid, symmetric: target.symmetric };
      entries.push(constantEntry(value, { ...precision, ...computed.get(value) }, decision, short));
    } else entries.push(activationEntry(value, grid, decision, placement, ties, computed, shortOf));
  }
  refuseNoBlocks(model, entries, options.granularity);
  const stored = target.storage === null ? entries : withStorage(entries, model, target.storage);
  if (entries.length === 0) {
    const bodies = Object.keys(layersInBodies(model)).join(", ");
    const first = left[0] ? `: ${left[0].value}: ${left[0].reason}` : "";
    const reason = bodies ? `: layers sit in bodies of ${bodies}, and only the main graph is quantized` : first;
    throw new AvocetError(
      "quant/nothing-to-quantize",
      `expected something that ${target.name} can quantize, found nothing${reason}`,
      {
        at: model.source ?? model.graph.name,
        hint: "`avocet inspect` says what the model consists of; fewer --float options leave more to quantize",
      },
    );
  }
  return { version: 1, target: target.name, entries: stored, left };
}

/** A block size that fits no weight at all is a mistake; one that does not fit some is in the reasons of their entries. */
function refuseNoBlocks(model: Model, entries: readonly PlanEntry[], granularity: WeightGranularity | undefined): void {
  if (typeof granularity !== "object" || entries.some((entry) => entry.granularity.kind === "block")) return;
  if (granularity.block >= 2 && !entries.some((entry) => entry.granularity.kind === "channel")) return;
  throw new AvocetError(
    "quant/unsupported-granularity",
    `expected a block size of 2 or more that divides the inputs of a layer, got ${granularity.block}`,
    {
      at: model.source ?? model.graph.name,
      hint: "`avocet inspect` shows the shapes of the weights; a scale per channel (--granularity channel) needs no block size",
    },
  );
}

/** Inputs, then for every node the constants that it is the first to read, then its outputs. */
function* inReadingOrder(model: Model): Iterable<Value> {
  const seen = new Set<Value>();
  const once = function* (value: Value | null): Iterable<Value> {
    if (!value || value.name === "" || seen.has(value)) return;
    seen.add(value);
    yield value;
  };
  for (const input of model.graph.inputs) yield* once(input);
  for (const node of model.graph.nodes) {
    for (const input of node.inputs) if (initializerOf(input)) yield* once(input);
    for (const output of node.outputs) yield* once(output);
  }
}

/** A constant beside activations has one scale, and needs no data to calibrate it. */
function constantEntry(value: Value, { grid, symmetric }: Precision, decision: Decision, short: boolean): PlanEntry {
  return {
    value: value.name,
    kind: "weight",
    grid,
    granularity: { kind: "tensor" },
    symmetric,
    ...shortScale(grid, short),
    ...(decision.gainOf ? { parameter: true as const } : {}),
    reason: decision.reason,
  };
}

function activationEntry(
  value: Value,
  activations: Grid,
  decision: Decision,
  { target }: Placement,
  { heads, ranges }: Ties,
  computed: ReadonlyMap<Value, ComputedWeight>,
  shortOf: (value: Value) => PlanEntry["shortScale"] | false,
): PlanEntry {
  // Values that share an encoding share what decides it.
  const tiedTo = heads.get(value);
  const head = tiedTo ?? value;
  const { grid = activations, symmetric = false } = computed.get(head) ?? {};
  const rule = head.producer ? target.operators.get(head.producer.op) : undefined;
  const range = tiedTo ? undefined : (ranges.get(value) ?? rule?.range);
  // AIMET: a range around zero makes the grid symmetric.
  const centred = range?.min !== undefined && range.max !== undefined && Math.abs(range.min + range.max) < 1e-6;
  return {
    value: value.name,
    kind: "activation",
    grid,
    granularity: { kind: "tensor" },
    symmetric: (rule?.symmetric ?? target.symmetric) || centred || symmetric,
    ...(target.strict ? { strict: true } : {}),
    ...(target.unsignedSymmetric ? { unsignedSymmetric: true } : {}),
    ...shortScale(grid, shortOf(head)),
    ...(range ? { range } : {}),
    ...(tiedTo ? { tiedTo: tiedTo.name } : {}),
    ...(decision.floatReaders ? { floatReaders: decision.floatReaders } : {}),
    reason:
      tiedTo && !decision.movedFrom ? `${decision.reason}; it shares the encoding of ${tiedTo.name}` : decision.reason,
  };
}

/** Whether the value is a sum, a product or a mean of quantized numbers, perhaps behind an activation function. */
function isSum(value: Value, { units }: Placement): boolean {
  const first = value.producer && units.get(value.producer)?.first;
  return first?.domain === "" && ["Add", "Mul", "AveragePool", "GlobalAveragePool"].includes(first.op);
}
