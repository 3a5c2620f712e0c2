/** Which constants of operators are quantized, on which grid, at which granularity: weights and biases. */
import { isRefused } from "../../base/inner.ts";
import { initializerOf, isRecurrent, type LayerAxes } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { dtypes } from "../../tensor/inner.ts";
import { type Facts, isDepthwise, type Parameter } from "../facts.ts";
import type { Grid } from "../grids/codec.ts";
import type { Granularity } from "../grids/encoding.ts";
import { gridName, isScaled, scaledCodecOf } from "../grids/grid.ts";
import type { Bits } from "../grids/names.ts";
import { isNotQuantized } from "../grids/usable-grid.ts";
import { notDynamic } from "../lower/dynamic-quantize-lstm.ts";
import { biasEntry } from "../plan/bias-encoding.ts";
import type { PlanEntry } from "../plan/plan.ts";
import { isBeforeV73, type Target } from "../targets/target.ts";
import { type Decision, originOf, type Placement } from "./place-by-rule.ts";
import type { WeightGranularity } from "./precisions.ts";
import type { SharedEncodings } from "./shared-encodings.ts";
import type { Unit } from "./supergroups.ts";

/** An entry, or the reason for which the constant stays float. */
export type Placed = PlanEntry | { readonly value: string; readonly left: string };

/** Decides about every parameter of the main graph, in the order of the nodes; shared ones at their first reader. */
export function placeParameters(
  placement: Placement,
  decided: ReadonlyMap<Value, Decision>,
  { heads }: Pick<SharedEncodings, "heads">,
  shortScales: boolean,
): Map<Value, Placed> {
  const found = new Map<Value, Placed>();
  const { facts, precisions } = placement;
  for (const node of facts.model.graph.nodes) {
    for (const parameter of facts.parametersOf(node)) {
      if (!found.has(parameter.value)) found.set(parameter.value, placeOne(parameter, placement, decided, shortScales));
    }
    const unit = placement.units.get(node)!;
    if (unit.first !== node) continue;
    const bias = biasOf(unit, facts);
    if (!bias) continue;
    const input = unit.first.input(0) ? originOf(unit.first.input(0)!, decided) : undefined;
    const activations = input
      ? precisions.activations(heads.get(input) ?? input).what
      : precisions.activationsOfNode(unit.first);
    const accumulates =
      placement.target.bias === "int32" && activations.kind === "int" && !placement.kept.has(unit.first);
    const entry = accumulates ? placeBias(bias, unit, placement, input, found) : undefined;
    if (entry || !found.has(bias))
      found.set(bias, entry ?? { value: bias.name, left: whyFloatBias(placement, activations) });
  }
  return found;
}

function whyFloatBias({ target }: Placement, activations: Grid): string {
  if (target.bias !== "int32") return "the target keeps biases in float";
  return `no integers are added: ${activations.kind === "float" ? "activations are" : "the input or the weight is"} float`;
}

/** The constant vector that a linear operator adds: its own bias input, or that of the Add it is run with. */
function biasOf(unit: Unit, facts: Facts): Value | undefined {
  if (unit.biasAdd) return unit.biasAdd.inputs.find((value) => value && initializerOf(value)) ?? undefined;
  return facts.parametersOf(unit.first).find((one) => one.layer && one.kind === "bias")?.value;
}

function placeOne(
  parameter: Parameter,
  placement: Placement,
  decided: ReadonlyMap<Value, Decision>,
  shortScales: boolean,
): Placed {
  const { target, kept, facts, narrow, scores, precisions } = placement;
  const { node, value, kind } = parameter;
  const unmet = kind === "bias" ? "" : precisions.unmetWeights(value);
  const left = (reason: string): Placed => ({ value: value.name, left: `${reason}${unmet}` });
  const asked = kept.get(node);
  if (asked !== undefined && !precisions.isWeightOnly(node)) return left(asked);
  if (target.kernels && !(parameter.layer && target.kernels.linear.has(node.op))) {
    const refused = isRecurrent(node) && kind !== "bias" ? whyNoIntegers(node, placement) : "";
    if (refused !== undefined)
      return left(`${target.float[node.op] ?? `${node.op} runs in float`}${refused && `: ${refused}`}`);
  }
  const tooNarrow = narrow.get(node);
  if (tooNarrow !== undefined) return left(tooNarrow);
  if (kind === "bias" && target.bias === "int32" && parameter.layer)
    return left(asked ?? "the bias cannot share the scales of input and weight");
  // Without integers in front of it a weight is still smaller.
  if (
    target.kernels &&
    !isRecurrent(node) &&
    !scores.has(node) &&
    precisions.activationsOfNode(node).kind === "int" &&
    !isQuantized(node.input(0), decided)
  )
    return left(`the input of ${node.op} is not quantized`);
  const rule = { ...target.param, ...target.params[kind], ...target.operators.get(node.op)?.params[kind] };
  if (!rule.quantized) return left(`the target keeps every ${kind} in float`);
  const { what: weights, conflict } = precisions.weights(value);
  if (isNotQuantized(weights)) return left("you asked for weights in float");
  const wanted = precisions.granularity(value);
  const { granularity, because } = granularityOf(parameter, placement, wanted.what);
  const { grid, symmetric } = parameter.normalization
    ? normalizationGrid(node, weights, placement, decided)
    : { grid: weights, symmetric: rule.symmetric && !wantsZeroPoints(weights, granularity, placement) };
  const levels = typeof wanted.what === "object" && !isRecurrent(node) ? wanted.what.twoLevel : undefined;
  const twoLevel = granularity.kind === "block" ? levels : undefined;
  const slices = { tensor: "one scale", channel: "a scale per channel", block: "a scale per block" }[granularity.kind];
  const users = facts.parameters(value).length;
  return {
    value: value.name,
    kind: "weight",
    grid,
    granularity,
    symmetric,
    ...(twoLevel ? { twoLevel } : {}),
    ...(target.narrowRange ? { narrowRange: true } : {}),
    ...(target.unsignedSymmetric ? { unsignedSymmetric: true } : {}),
    ...(target.narrowWeights && isPacked(grid) ? { staysNarrow: true as const } : {}),
    ...(pairSafe(node, parameter, placement, grid) ? { pairSafe: true as const } : {}),
    // Scales of recurrent weights meet floats alone, as those next to float inputs do.
    ...(twoLevel || isRecurrent(node) || precisions.activationsOfNode(node).kind !== "int"
      ? {}
      : shortScale(grid, shortScales)),
    reason: `the ${kind} of ${node.op}${users > 1 ? ` (shared by ${users} nodes)` : ""}: ${gridName(grid)}, ${slices}${because}${conflict}${wanted.conflict}${insteadOf(grid)}`,
  };
}

/**
 * Unsigned integers in blocks, where somebody asks for a form whose operator reads a zero point for each, want those: without zero points
 * they are the numbers of the signed grid. What a target asks for keeps to the target's own rule.
 */
export function wantsZeroPoints(grid: Grid, { kind }: Granularity, { zeroPoints }: Placement): boolean {
  return zeroPoints && grid.kind === "int" && !grid.signed && kind === "block";
}

/** Why the weights of a recurrent operator cannot be stored as integers; undefined: they can. */
function whyNoIntegers(node: Node, { storage, precisions }: Placement): string | undefined {
  if (storage.includes("castweights") && precisions.weightsOfNode(node).kind === "int") return undefined;
  if (!storage.includes("dynamicquantizelstm")) return "";
  const weights = precisions.weightsOfNode(node);
  return weights.kind === "int" && weights.bits <= 8 ? notDynamic(node) : "DynamicQuantizeLSTM takes 8 bits and fewer";
}

function isPacked(grid: Grid): boolean {
  return isScaled(grid) && dtypes[scaledCodecOf(grid).stored].bits < 8;
}

/** What a file holds in the place of numbers that no runtime loads. */
function insteadOf(grid: Grid): string {
  const { instead } = isScaled(grid) ? scaledCodecOf(grid) : {};
  return instead === undefined ? "" : `; ${instead}`;
}

/** The part of a choice that parameters of a normalization take over from weights or from activations. */
export interface NumberForm {
  readonly grid: Grid;
  readonly symmetric: boolean;
}

/**
 * AIMET 2.42: parameters of a normalization have 8 bits at least. Those of LayerNorm and BatchNorm are symmetric from 16 bits on,
 * which hardware before V73 has not; those of the others follow the output.
 */
function normalizationGrid(
  node: Node,
  weights: Grid,
  { target, precisions }: Placement,
  decided: ReadonlyMap<Value, Decision>,
): NumberForm {
  if (node.op === "LayerNormalization" || node.op === "BatchNormalization") return layerNormPrecision(weights, target);
  const output = decided.get(node.output)?.on === true;
  const symmetric = output && (target.operators.get(node.op)?.symmetric ?? target.symmetric);
  if (weights.kind !== "int") return { grid: weights, symmetric };
  const activations = precisions.activationsOfNode(node);
  const bits = output && activations.kind === "int" ? activations.bits : weights.bits;
  return { grid: { ...weights, bits: atLeastEight(bits) }, symmetric };
}

/** The precision of a LayerNorm's weight; also where the norm is written out in arithmetic and the weight is a factor. */
export function layerNormPrecision(weights: Grid, target: Target): NumberForm {
  if (weights.kind !== "int") return { grid: weights, symmetric: false };
  const bits = isBeforeV73(target) ? 8 : atLeastEight(weights.bits);
  return { grid: { ...weights, bits }, symmetric: bits >= 16 };
}

function atLeastEight(bits: Bits): Bits {
  return bits < 8 ? 8 : bits;
}

/** The part of an entry that says whether its scales must be short: wider grids run in float, where it gains nothing. */
export function shortScale(grid: Grid, short: PlanEntry["shortScale"] | false): Pick<PlanEntry, "shortScale"> {
  return short && grid.kind === "int" && grid.bits <= 8 ? { shortScale: short } : {};
}

/** Whether an integer kernel finds integers in front of it. */
function isQuantized(input: Value | null, decided: ReadonlyMap<Value, Decision>): boolean {
  return input !== null && originOf(input, decided) !== undefined;
}

/** What shares a scale, and why it is not what was asked for. */
function granularityOf(
  parameter: Parameter,
  { target }: Placement,
  asked: WeightGranularity | undefined,
): { readonly granularity: Granularity; readonly because: string } {
  const { node, value, kind } = parameter;
  const { shape } = value.initializer!;
  const is = (granularity: Granularity, because = "") => ({ granularity, because });
  if (isRecurrent(node) && kind !== "bias") return recurrentGranularity(node, shape, target, asked);
  if (!parameter.layer || kind !== "weight") return is({ kind: "tensor" });
  const axes = axesOf(parameter);
  const wanted =
    asked ??
    (target.weightBlock !== null ? { block: target.weightBlock } : undefined) ??
    ((target.operators.get(node.op)?.perChannel ?? target.perChannel) ? "channel" : "tensor");
  if (wanted === "tensor") return is({ kind: "tensor" });
  const instead = asked === undefined ? "" : ": ";
  if (!axes) return is({ kind: "tensor" }, instead && `${instead}a vector has one channel`);
  if (node.op === "ConvTranspose" && node.int("group", 1) > 1)
    return is({ kind: "tensor" }, instead && `${instead}the groups of a ConvTranspose share its channels`);
  // Integer kernels take scales per channel of one matrix.
  if (target.kernels !== null && node.op === "MatMul" && shape.length > 2)
    return is({ kind: "tensor" }, instead && `${instead}its integer kernel has one scale for several matrices`);
  if (wanted === "channel") return is({ kind: "channel", axis: axes.out });
  const [inputAxis] = axes.in as [number];
  const inputs = shape[inputAxis]!;
  if (wanted.block < 2 || inputs % wanted.block !== 0) {
    return is({ kind: "channel", axis: axes.out }, `: blocks of ${wanted.block} do not divide ${inputs} inputs`);
  }
  return is({ kind: "block", axis: inputAxis, size: wanted.block, channelAxis: axes.out });
}

/** W or R [directions, gates · hidden, columns]: one scale, or one for each row of each direction. */
function recurrentGranularity(
  node: Node,
  shape: readonly number[],
  target: Target,
  asked: WeightGranularity | undefined,
): { readonly granularity: Granularity; readonly because: string } {
  const wanted = asked ?? ((target.operators.get(node.op)?.perChannel ?? target.perChannel) ? "channel" : "tensor");
  const because = typeof wanted === "object" ? `: rows of ${node.op} have one scale each` : "";
  if (wanted === "tensor") return { granularity: { kind: "tensor" }, because };
  if (shape[0] === 1) return { granularity: { kind: "channel", axis: 1 }, because };
  // Scales along one axis would be those of both directions.
  return { granularity: { kind: "block", axis: 2, size: shape[2]!, channelAxis: 1 }, because };
}

/** The axes of a parameter that is the weight of a layer whose shape fits. */
function axesOf({ layer }: Parameter): LayerAxes | undefined {
  return layer && !isRefused(layer) && !isRefused(layer.axes) ? layer.axes : undefined;
}

/** Depthwise kernels add each product in 32 bits; all others add two neighbours in 16 bits on processors without VNNI. */
function pairSafe(node: Node, parameter: Parameter, { target }: Placement, grid: Grid): boolean {
  if (!target.pairSafeWeights || gridName(grid) !== "int8") return false;
  // What computes in float saturates nowhere.
  if (isRecurrent(node)) return notDynamic(node) === undefined;
  return parameter.layer !== undefined && !isDepthwise(node, parameter.value.initializer!.shape);
}

function placeBias(
  bias: Value,
  unit: Unit,
  placement: Placement,
  input: Value | undefined,
  found: ReadonlyMap<Value, Placed>,
): Placed | undefined {
  const { first } = unit;
  const weight = placement.facts.parametersOf(first).find((one) => one.layer && one.kind === "weight");
  const entry = weight && found.get(weight.value);
  const left = (reason: string): Placed => ({ value: bias.name, left: reason });
  if (!input || !entry || "left" in entry || entry.grid.kind !== "int") return undefined;
  if (bias.consumers().length > 1 || placement.facts.parameters(weight!.value).length > 1) {
    return left("several operators share it or its weight, each with its own input scale");
  }
  const { shape } = bias.initializer!;
  if (shape.length !== 1 || shape[0] !== axesOf(weight!)?.outputs) {
    return left("a bias that is no vector of the output channels has no integer kernel");
  }
  if (first.op === "Gemm" && (first.float("alpha", 1) !== 1 || first.float("beta", 1) !== 1)) {
    return left("alpha or beta of Gemm scale it");
  }
  return biasEntry(first.op, bias.name, input.name, entry);
}
