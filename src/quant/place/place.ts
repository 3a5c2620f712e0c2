/** Placement: model and target → a plan without encodings, with a reason for every value that is in it and for every other. */

import { AvocetError, expectArguments } from "../../base/inner.ts";
import { initializerOf } from "../../facts/inner.ts";
import type { Model, Node, TensorType, Value } from "../../ir/inner.ts";
import { Facts } from "../facts.ts";
import type { Grid } from "../grids/codec.ts";
import { gridName, parseGrid } from "../grids/grid.ts";
import type { StorageName } from "../grids/storage-names.ts";
import { isNotQuantized, refuseGrid } from "../grids/usable-grid.ts";
import { withStorage } from "../lower/storage.ts";
import type { HalfPrecision, NotQuantized, Plan, PlanEntry } from "../plan/plan.ts";
import { floatOnlyNodes } from "../targets/supported-kernels.ts";
import { type Target, targetRefusal } from "../targets/target.ts";
import { refuseUnfit } from "./acceptable.ts";
import { layersInBodies } from "./bodies.ts";
import { type ComputedWeight, computedWeights } from "./computed-weights.ts";
import { narrowConvolutions } from "./narrow-convolutions.ts";
import { decideByKernel, turnedBackAtOnce } from "./place-by-kernel.ts";
import { type Decision, decideByRule, type Placement } from "./place-by-rule.ts";
import { layerNormPrecision, type NumberForm, placeParameters, shortScale } from "./place-parameters.ts";
import { placeTables } from "./place-tables.ts";
import { type GridRule, type Held, Precisions, type WeightGranularity } from "./precisions.ts";
import { scoreConvolutions } from "./score-convolutions.ts";
import { type SharedEncodings, sharedEncodings } from "./shared-encodings.ts";
import { spectralLayers } from "./spectra.ts";
import { unitsOf } from "./supergroups.ts";

export interface PlaceOptions {
  /** Element type and shape of every value as it runs, from `traceShapes`. */
  readonly shapes: ReadonlyMap<string, TensorType>;
  /** Grid of the weights. Default: the target's. */
  readonly weights?: Grid | undefined;
  /** Grid of the activations. Default: the target's. */
  readonly activations?: Grid | undefined;
  /** What shares one scale of a weight. Default: what the target prefers for the operator. */
  readonly granularity?: WeightGranularity | undefined;
  /** What stays in float, whatever `grids` say of it: selectors as in `GridRule`. Default: nothing. */
  readonly keepFloat?: readonly string[] | undefined;
  /** Other grids and granularities for some layers; of several rules for one layer the later one holds. Default: none. */
  readonly grids?: readonly GridRule[] | undefined;
  /** What weights are stored for, the first form that can hold one. Default: what the target says. */
  readonly storage?: readonly StorageName[] | undefined;
  /** Whether MatMulNBits rounds its inputs to int8 as it runs (4). Default: it computes in float32. */
  readonly accuracyLevel?: 4 | undefined;
  /** Operators that no quantizer is for compute in half precision, but for these and what `keepFloat` selects. Default: in float32. */
  readonly half?: HalfPrecision | undefined;
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
  for (const rule of options.grids ?? []) {
    if (rule.activations) refuseGrid(rule.activations, "activation", rule.match);
    if (rule.weights) refuseGrid(rule.weights, "weight", rule.match);
  }
  refuseForTarget(target, { activations: grid, weights, storage: options.storage }, at);
  for (const rule of options.grids ?? []) refuseForTarget(target, rule, rule.match);
  const facts = new Facts(model, options.shapes);
  const { granularity, grids = [], keepFloat = [], storage = target.storage } = options;
  const defaults = { weights, activations: grid, granularity };
  const precisions = new Precisions(facts, defaults, [...grids, ...keepFloat.map(inFloat)]);
  const kept = precisions.kept();
  const gridsOf = (node: Node) => ({
    weights: precisions.weightsOfNode(node),
    activations: precisions.activationsOfNode(node),
  });
  for (const [node, reason] of floatOnlyNodes(facts, target, gridsOf, (one) => kept.has(one))) kept.set(node, reason);
  const exact = target.shortScales !== false && options.exactScales === true;
  const short = (exact || target.shortScales) === true;
  const first: Placement = {
    facts,
    target,
    precisions,
    kept,
    units: unitsOf(facts, target, (node) => kept.has(node)),
    narrow: target.kernels ? narrowConvolutions(facts, target.kernels) : new Map(),
    scores: target.kernels
      ? new Map([...scoreConvolutions(facts, target.kernels), ...spectralLayers(facts, target.kernels)])
      : new Map(),
    storage,
    zeroPoints: options.storage?.includes("matmulnbits") ?? false,
  };
  const placement = target.kernels
    ? { ...first, scores: new Map([...first.scores, ...turnedBackAtOnce(first, target.kernels)]) }
    : first;
  const decided = target.kernels ? decideByKernel(placement, target.kernels) : decideByRule(placement);
  const shared = sharedEncodings(placement, decided);
  precisions.join(placement.units, shared.heads);
  const parameters = placeParameters(placement, decided, shared, short);
  if (storage.includes("gatherblockquantized")) placeTables(placement, decided, shared, parameters);
  // What layers give has the coarsest scales; those of sums must suit what is added (halfway-sums.ts).
  const shortOf = (value: Value) => short && (exact && !isSum(value, placement) ? "coarse" : true);
  const computed = computedWeights(placement, decided, shared.heads);
  const entries: PlanEntry[] = [];
  const left: NotQuantized[] = [];
  for (const value of inReadingOrder(model)) {
    const parameter = parameters.get(value);
    if (parameter) {
      if ("left" in parameter) left.push({ value: value.name, reason: parameter.left });
      else entries.push(parameter);
      continue;
    }
    const decision = decided.get(value);
    if (!decision) continue;
    const asked = precisions.activations(shared.heads.get(value) ?? value);
    if (!decision.on) left.push({ value: value.name, reason: `${decision.reason}${precisions.unmet(value)}` });
    else if (isNotQuantized(asked.what)) left.push({ value: value.name, reason: "you asked for activations in float" });
    else if (initializerOf(value)) {
      const gain = decision.gainOf === "layer" ? precisions.weightsOfNode(value.consumers()[0]!) : undefined;
      const precision =
        gain && !isNotQuantized(gain)
          ? layerNormPrecision(gain, target)
          : { grid: asked.what, symmetric: target.symmetric };
      const entry = constantEntry(value, { ...precision, ...computed.get(value) }, decision, short, target);
      entries.push({ ...entry, ...statePart(value, shared) });
    } else entries.push(activationEntry(value, asked, decision, placement, shared, computed, shortOf));
  }
  refuseNoBlocks(model, entries, [{ granularity }, ...grids]);
  const stored = withStorage(entries, model, storage, options.accuracyLevel);
  if (entries.length === 0 && !options.half) {
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
  const half = options.half && withKept(options.half, kept);
  return { version: 1, target: target.name, entries: stored, notQuantized: left, ...(half ? { half } : {}) };
}

/** Throws `quant/unsupported-grid` for a grid or a storage form that the target has no kernel for. */
function refuseForTarget(
  target: Target,
  asked: {
    readonly activations?: Grid | undefined;
    readonly weights?: Grid | undefined;
    readonly storage?: readonly StorageName[] | undefined;
  },
  at: string,
): void {
  for (const use of ["activations", "weights"] as const) {
    const chosen = asked[use];
    const reason = chosen && targetRefusal(target, use, gridName(chosen));
    if (reason === undefined) continue;
    throw new AvocetError(
      "quant/unsupported-grid",
      `expected ${use} that ${target.name} takes, got ${gridName(chosen!)}`,
      { at, hint: reason },
    );
  }
  for (const name of asked.storage ?? []) {
    const reason = targetRefusal(target, "storage", name);
    if (reason === undefined) continue;
    throw new AvocetError("quant/unsupported-grid", `expected a form that ${target.name} takes, got ${name}`, {
      at,
      hint: reason,
    });
  }
}

/** A block size that fits no weight at all is a mistake; one that does not fit some is in the reasons of their entries. */
function refuseNoBlocks(model: Model, entries: readonly PlanEntry[], asked: readonly Partial<GridRule>[]): void {
  for (const { granularity, match } of asked) {
    if (typeof granularity !== "object" || entries.some((entry) => entry.granularity.kind === "block")) continue;
    if (granularity.block >= 2 && !entries.some((entry) => entry.granularity.kind === "channel")) continue;
    throw new AvocetError(
      "quant/unsupported-granularity",
      `expected a block size of 2 or more that divides the inputs of a layer, got ${granularity.block}`,
      {
        at: match ?? model.source ?? model.graph.name,
        hint: "`avocet inspect` shows the shapes of the weights; --granularity block:SIZE asks for another size (a form with packed weights has 32), and a scale per channel (--granularity channel) needs none",
      },
    );
  }
}

/** What the user asked to stay in float stays in float32. */
function withKept(half: HalfPrecision, kept: ReadonlyMap<Node, string>): HalfPrecision {
  return {
    ...half,
    float: [...half.float, ...[...kept].map(([{ output }, reason]) => ({ value: output.name, reason }))],
  };
}

/** What `keepFloat` says of one selector. */
function inFloat(match: string): GridRule {
  const float = parseGrid("float32");
  return { match, weights: float, activations: float };
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

/** The part of an entry that says whose encoding a state of a recurrent operator shares, and that its numbers count for it. */
function statePart(value: Value, { heads, counted }: SharedEncodings): Partial<PlanEntry> {
  const head = heads.get(value);
  return head && counted.has(value) ? { kind: "activation", sharesEncodingOf: head.name, observed: true } : {};
}

/** A constant next to activations has one scale, and needs no data to calibrate it. */
function constantEntry(
  value: Value,
  { grid, symmetric }: NumberForm,
  decision: Decision,
  short: boolean,
  { signedActivations }: Target,
): PlanEntry {
  return {
    value: value.name,
    kind: "weight",
    grid,
    granularity: { kind: "tensor" },
    symmetric,
    ...(signedActivations ? { staysSigned: true as const } : {}),
    ...shortScale(grid, short),
    ...(decision.gainOf ? { parameter: true as const } : {}),
    reason: decision.reason,
  };
}

function activationEntry(
  value: Value,
  { what: activations, conflict }: Held<Grid>,
  decision: Decision,
  { target }: Placement,
  { heads, ranges, counted }: SharedEncodings,
  computed: ReadonlyMap<Value, ComputedWeight>,
  shortOf: (value: Value) => PlanEntry["shortScale"] | false,
): PlanEntry {
  // Values that share an encoding share what decides it.
  const sharesEncodingOf = heads.get(value);
  const head = sharesEncodingOf ?? value;
  const { grid = activations, symmetric = false } = computed.get(head) ?? {};
  const rule = head.producer ? target.operators.get(head.producer.op) : undefined;
  const range = sharesEncodingOf ? undefined : (ranges.get(value) ?? rule?.range);
  // AIMET: a range around zero makes the grid symmetric.
  const centred = range?.min !== undefined && range.max !== undefined && Math.abs(range.min + range.max) < 1e-6;
  return {
    value: value.name,
    kind: "activation",
    grid,
    granularity: { kind: "tensor" },
    symmetric: (rule?.symmetric ?? target.symmetric) || centred || symmetric,
    ...(target.narrowRange ? { narrowRange: true } : {}),
    ...(target.unsignedSymmetric ? { unsignedSymmetric: true } : {}),
    ...(target.signedActivations ? { staysSigned: true as const } : {}),
    ...shortScale(grid, shortOf(head)),
    ...(range ? { range } : {}),
    ...(sharesEncodingOf ? { sharesEncodingOf: sharesEncodingOf.name } : {}),
    ...(counted.has(value) ? { observed: true as const } : {}),
    ...(decision.floatReaders ? { floatReaders: decision.floatReaders } : {}),
    reason: `${decision.reason}${sharesEncodingOf && !decision.movedFrom ? `; it shares the encoding of ${sharesEncodingOf.name}` : ""}${conflict}`,
  };
}

/** Whether the value is a sum, a product or a mean of quantized numbers, perhaps behind an activation function. */
function isSum(value: Value, { units }: Placement): boolean {
  const first = value.producer && units.get(value.producer)?.first;
  return first?.domain === "" && ["Add", "Mul", "AveragePool", "GlobalAveragePool"].includes(first.op);
}
