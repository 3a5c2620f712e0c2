/** Layers that read the magnitudes of a spectrum, √(re² + im²). */
import { constantNumbers, isOp, keepsGrid } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import type { Facts } from "../facts.ts";
import { readsSpectrum } from "../plan/layer-reasons.ts";
import type { IntegerKernels } from "../targets/target.ts";

/**
 * Convolutions and products that read magnitudes, each with the reason: between a pause and a vowel lie more than 40 dB, so that one grid of 256
 * steps leaves nothing of the pauses, whatever its range (bench/results/recurrent.md). They compute in float from weights that stay integers. Where they
 * are all that there is to quantize, they are quantized nevertheless.
 */
export function spectralLayers(facts: Facts, kernels: IntegerKernels): Map<Node, string> {
  const linear = [...facts.model.graph.nodes].filter((node) => node.domain === "" && kernels.linear.has(node.op));
  const found = linear.filter((node) => isMagnitude(node.input(0)));
  return new Map(
    found.length < linear.length ? found.map((node) => [node, `${readsSpectrum} do not fit into 8 bits`]) : [],
  );
}

function isMagnitude(value: Value | null): boolean {
  let at = value;
  while (at?.producer && keepsGrid(at.producer)) at = at.producer.input(0);
  const root = at?.producer;
  const sum = isOp(root, "Sqrt") ? root.input(0)?.producer : undefined;
  return isOp(sum, "Add") && sum.inputs.every((part) => isSquare(part?.producer));
}

function isSquare(node: Node | null | undefined): boolean {
  if (!isOp(node, "Mul", "Pow")) return false;
  if (node.op === "Mul") return node.input(0) === node.input(1);
  const power = constantNumbers(node.input(1));
  return power?.length === 1 && power[0] === 2;
}
