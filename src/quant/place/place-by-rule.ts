/**
 * Which activations are quantized, the way AIMET does it: every float output is, unless a rule of the target says otherwise;
 * what only moves data takes over the encoding of its input.
 */
import { initializerOf, keepsGrid, maskOf } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import type { Facts } from "../facts.ts";
import type { StorageName } from "../grids/storage-names.ts";
import type { Target } from "../targets/target.ts";
import type { Precisions } from "./precisions.ts";
import type { Unit } from "./supergroups.ts";

/** What placement decided about one float value, and why, in one sentence. */
export interface Decision {
  readonly on: boolean;
  readonly reason: string;
  /** It is the gain of a normalization that is written out in arithmetic: that of a LayerNorm follows the rule for its weight. */
  readonly gainOf?: "layer" | "rms";
  /** Operators that read the float number, and not what the quantizer returns: see `PlanEntry`. */
  readonly floatReaders?: readonly string[];
  /** The output of an operator that moves data: the value whose encoding it takes over. */
  readonly movedFrom?: Value;
}

export interface Placement {
  readonly facts: Facts;
  readonly target: Target;
  readonly units: ReadonlyMap<Node, Unit>;
  readonly precisions: Precisions;
  /** Nodes that stay in float whatever the rules say, each with the reason: the user wants it, or the target has no kernel. */
  readonly kept: ReadonlyMap<Node, string>;
  /** Convolutions that are faster in float, each with the reason. */
  readonly narrow: ReadonlyMap<Node, string>;
  /** Layers that compute in float from weights that are stored as integers, each with the reason. */
  readonly scores: ReadonlyMap<Node, string>;
  /** What weights may be stored for. */
  readonly storage: readonly StorageName[];
  /** Whether an asked form stores a zero point for each block. */
  readonly zeroPoints: boolean;
}

/** A decision for every float value that is no parameter. */
export function decideByRule(placement: Placement): Map<Value, Decision> {
  const { facts } = placement;
  const decided = new Map<Value, Decision>();
  const { graph } = facts.model;
  for (const input of graph.inputs) if (facts.isFloat(input)) decided.set(input, decideInput(input, placement));
  for (const constant of graph.initializers) {
    if (graph.inputs.includes(constant) || facts.parameters(constant).length > 0 || !facts.isFloat(constant)) continue;
    decided.set(constant, decideConstant(constant, placement));
  }
  for (const node of graph.nodes) {
    for (const value of node.outputs) {
      if (value.name === "" || !facts.isFloat(value)) continue;
      decided.set(value, decideOutput(node, value, placement, decided));
    }
  }
  return decided;
}

function decideInput(value: Value, placement: Placement): Decision {
  const kept = readByKeptOnly(value, placement);
  if (kept) return kept;
  if (placement.target.modelInput) return { on: true, reason: "the target quantizes the inputs of the model" };
  const reader = quantizingReader(value, placement);
  if (reader) return { on: true, reason: `the target quantizes the inputs of ${reader.op}` };
  return { on: false, reason: "the target leaves the inputs of the model in float" };
}

function decideConstant(value: Value, placement: Placement): Decision {
  const readers = value.consumers();
  const data = initializerOf(value);
  if (readers.every((node) => node.op === "Resize" || node.op === "Upsample")) {
    return { on: false, reason: "scales and sizes of a resize are no data" };
  }
  if (data && data.size <= 1)
    return { on: false, reason: "a scalar constant costs nothing in float and loses nothing" };
  const kept = readByKeptOnly(value, placement);
  if (kept) return kept;
  if (!placement.target.modelInput) return { on: false, reason: "the target leaves constants in float" };
  const inside = placement.units.get(readers[0]!)?.normalization;
  if (inside && readers.some((node) => node.op === "Add"))
    return { on: false, reason: "the target keeps every bias in float" };
  if (inside) {
    const reason = "it is the gain of a normalization, which is its weight";
    return { on: true, reason, gainOf: inside };
  }
  return { on: true, reason: "a constant beside quantized data is quantized as an input of the model" };
}

function decideOutput(node: Node, value: Value, placement: Placement, decided: ReadonlyMap<Value, Decision>): Decision {
  const { target, units, kept } = placement;
  const unit = units.get(node)!;
  const rule = target.operators.get(node.op);
  const asked = kept.get(node);
  const moves = keepsGrid(node) && rule?.outputQuantized !== true && asked === undefined;
  const source = moves ? node.input(0) : null;
  if (asked !== undefined && !moves) return { on: false, reason: asked };
  if (unit.last !== node) {
    return { on: false, reason: `it is computed inside ${chainName(unit)}, which the target runs as one operator` };
  }
  if (value.isGraphOutput && target.modelOutput)
    return { on: true, reason: "the target quantizes the outputs of the model" };
  const mask = maskOf(node);
  if (mask !== undefined && !moves) return { on: false, reason: maskReason(node, mask) };
  const keptReaders = readByKeptOnly(value, placement);
  if (keptReaders && !moves) return keptReaders;
  const reader = quantizingReader(value, placement);
  if (moves && source && value === node.output) {
    const origin = originOf(source, decided);
    if (origin) return { on: true, movedFrom: origin, reason: `${node.op} only moves what ${origin.name} holds` };
    if (!reader) return { on: false, reason: `${node.op} only moves data, and ${source.name} is not quantized` };
  }
  if (reader) return { on: true, reason: `the target quantizes the inputs of ${reader.op}` };
  if (moves && value !== node.output) return splitPart(node, decided);
  if (rule?.outputQuantized ?? target.outputQuantized)
    return { on: true, reason: `the target quantizes the output of ${chainName(unit)}` };
  return { on: false, reason: `the target leaves the output of ${node.op} in float` };
}

/** Why what a mask was filled into stays float. */
export function maskReason({ op }: Node, mask: number): string {
  return `${op} fills in ${mask}, and a grid that holds it holds nothing else`;
}

/** The further outputs of Split are moved like its first; other operators' second outputs are no data (indices, masks). */
function splitPart(node: Node, decided: ReadonlyMap<Value, Decision>): Decision {
  if (node.op !== "Split") return { on: false, reason: `the further outputs of ${node.op} are no data` };
  const source = node.input(0)!;
  const origin = originOf(source, decided);
  if (origin) return { on: true, movedFrom: origin, reason: `${node.op} only moves what ${origin.name} holds` };
  return { on: false, reason: `${node.op} only moves data, and ${source.name} is not quantized` };
}

/** The value whose encoding holds here: itself if it is quantized, what it was moved or cast from; undefined in float. */
export function originOf(value: Value, decided: ReadonlyMap<Value, Decision>): Value | undefined {
  const decision = decided.get(value);
  if (decision?.movedFrom) return decision.movedFrom;
  if (decision?.on) return value;
  const node = value.producer;
  // Only float values are decided about: a Cast from integers makes numbers of its own.
  if (node?.domain !== "" || node.op !== "Cast" || !decided.has(value) || !node.input(0)) return undefined;
  return decided.has(node.input(0)!) ? originOf(node.input(0)!, decided) : undefined;
}

/** A reader whose inputs the target wants quantized. */
function quantizingReader(value: Value, { target, kept }: Placement): Node | undefined {
  return value
    .consumers()
    .find((node) => !kept.has(node) && (target.operators.get(node.op)?.inputQuantized ?? target.inputQuantized));
}

function readByKeptOnly(value: Value, { kept }: Placement): Decision | undefined {
  const readers = value.consumers();
  if (readers.length === 0 || value.isGraphOutput || !readers.every((node) => kept.has(node))) return undefined;
  return { on: false, reason: `it is only read by what stays in float: ${kept.get(readers[0]!)}` };
}

/** "Conv + Relu". */
export function chainName(unit: Unit): string {
  return unit.nodes.map((node) => node.op).join(" + ");
}
