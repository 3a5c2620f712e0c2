/** From a value to what its readers get in a trainable model, and back. */
import type { Model, Value } from "../../ir/index.ts";

/** A quantizer of an activation: Q and DQ, behind a Clip where the grid is narrower than the integers. */
export interface ActivationQuantizer {
  readonly from: Value;
  readonly to: Value;
}

/** The quantizers of activations in a model, in order. */
export function activationQuantizers({ graph }: Model): ActivationQuantizer[] {
  const found: ActivationQuantizer[] = [];
  for (const node of graph.nodes) {
    const quantize = node.op === "DequantizeLinear" ? node.input(0)?.producer : null;
    if (quantize?.op !== "QuantizeLinear") continue;
    const read = quantize.input(0)!;
    const clip = read.producer;
    // The bounds of such a Clip are computed from the scale; those of the model's own are constants.
    const isOurs = clip?.op === "Clip" && read.useCount === 1 && clip.input(1)?.producer != null;
    found.push({ from: isOurs ? clip.input(0)! : read, to: node.output });
  }
  return found;
}

/** Name of a value → name of what readers get in its place. */
export function dequantizedNames(model: Model): Map<string, string> {
  return new Map(activationQuantizers(model).map(({ from, to }) => [from.name, to.name]));
}
