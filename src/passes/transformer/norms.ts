/** Normalizations over the last axis, as one operator or taken apart, with the gain and bias that readers see. */
import { floatConstant, isOp, type LengthTable } from "../../facts/inner.ts";
import type { Graph, Node, Value } from "../../ir/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { findNormalization } from "../recognise/layer-norm.ts";

/** A constant of one number, or one per channel. */
export interface Parameter {
  readonly node: Node;
  /** The input of the node that holds it. */
  readonly index: number;
  readonly tensor: Tensor;
}

export interface Norm {
  /** "layer" subtracts the mean first, "rms" does not. */
  readonly kind: "layer" | "rms";
  readonly input: Value;
  /** Gain and bias included. */
  readonly result: Value;
  /** All nodes that it is made of. */
  readonly nodes: ReadonlySet<Node>;
  readonly gain: Parameter | undefined;
  readonly bias: Parameter | undefined;
}

/** The normalizations of a graph over the last axis, in its order. Those with a computed gain or bias are left out. */
export function normsOf(graph: Graph, lengths: LengthTable): Norm[] {
  return [...graph.nodes].flatMap((node) => fused(node, lengths) ?? takenApart(node, lengths) ?? []);
}

const operators = ["LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"] as const;

function fused(node: Node, lengths: LengthTable): Norm | undefined {
  const input = node.input(0);
  if (!isOp(node, ...operators) || !input) return undefined;
  const axis = node.int("axis", -1);
  if (axis !== -1 && axis !== (lengths.of(input)?.length ?? 0) - 1) return undefined;
  const at = (index: number): Parameter | undefined | "computed" => {
    const tensor = floatConstant(node.input(index));
    return tensor ? { node, index, tensor } : node.input(index) ? "computed" : undefined;
  };
  const [gain, bias] = [at(1), at(2)];
  if (gain === "computed" || bias === "computed") return undefined;
  const kind = isOp(node, "LayerNormalization") ? "layer" : "rms";
  return { kind, input, result: node.output, nodes: new Set([node]), gain, bias };
}

function takenApart(node: Node, lengths: LengthTable): Norm | undefined {
  const found = findNormalization(node, lengths);
  if (!found) return undefined;
  const { kind, bound, core, scale, bias } = found;
  const parameter = (place: typeof scale, of: Value): Parameter | undefined =>
    place && { node: place.node, index: place.node.input(0) === of ? 1 : 0, tensor: place.value };
  const last = bias ?? scale;
  return {
    kind,
    input: bound.value("x"),
    result: last?.node.output ?? core.output,
    nodes: new Set([...bound.nodes, ...[scale, bias].flatMap((place) => place?.node ?? [])]),
    gain: parameter(scale, core.output),
    bias: bias && parameter(bias, scale!.node.output),
  };
}
