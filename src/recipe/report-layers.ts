/** The operators of a report: what each costs, on which grids it is, how much signal it keeps and what runs it. */

import { macsOfNode, type Similarity } from "../analysis/inner.ts";
import { matrixLayerAt } from "../facts/inner.ts";
import type { Node, Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";
import { entriesByValue, gridName, type KernelFinding, type Lowered, type PlanEntry } from "../quant/inner.ts";
import type { LayerReport } from "../report/inner.ts";
import type { Quantized } from "./quantized.ts";

/** One row an operator of the prepared model, in the order of execution. */
export function layerReports(
  quantized: Quantized,
  similarity: readonly Similarity[],
  kernels: readonly KernelFinding[],
): LayerReport[] {
  const { prepared, lowered, shapes, plan } = quantized;
  const entries = entriesByValue(plan);
  const sqnrs = new Map(similarity.map(({ name, sqnr }) => [name, sqnr]));
  const found = new Map(kernels.map((finding) => [finding.node, finding]));
  const gridOf = (entry: PlanEntry | undefined) => (entry?.encoding ? gridName(entry.encoding.grid) : null);
  const rows: LayerReport[] = [];
  for (const node of prepared.graph.nodes) {
    const output = node.outputs.find((value) => value.name !== "");
    if (!output || (node.op === "Constant" && node.domain === "")) continue;
    const made = nodesOf(node, output, lowered);
    const kernel = found.get(`${made.at(-1)}`);
    const result = resultOf(output, (value) => sqnrs.has(value.name) || entries.has(value.name));
    const sqnr = sqnrs.get(result.name);
    const weight = weightOf(node);
    rows.push({
      name: node.name || output.name,
      op: node.opName,
      macs: macsOfNode(node, shapes) ?? null,
      bytes: made.reduce((sum, one) => sum + bytesOf(one), 0),
      weight: weight ? (gridOf(entries.get(weight.name)) ?? halfOf(weight, lowered)) : null,
      activation: gridOf(entries.get(result.name)),
      ...(sqnr === undefined ? {} : { sqnr }),
      kernel: kernel ? `${kernel.kernel}${kernel.integer ? "" : " (float)"}` : null,
    });
  }
  return rows;
}

/** What a layer ends in: its output, or that of the only readers behind it (a bias, an activation) that are quantized with it. */
function resultOf(output: Value, isKnown: (value: Value) => boolean): Value {
  let value = output;
  for (let steps = 0; steps < 3 && !isKnown(value) && !value.isGraphOutput; steps++) {
    const [reader, ...others] = value.consumers();
    const operands = reader?.inputs.filter((input) => input && !input.initializer) ?? [];
    if (!reader || others.length > 0 || operands.length !== 1 || reader.outputs.length !== 1) return output;
    value = reader.output;
  }
  return isKnown(value) ? value : output;
}

/** A weight without a quantizer that the file holds in half precision. */
function halfOf(weight: Value, { of }: Lowered): string | null {
  return of(weight.name)?.quantized?.initializer?.dtype === "float16" ? "float16" : null;
}

/** The constant that a linear operator multiplies with. */
function weightOf(node: Node): Value | undefined {
  const role = rowOf(node)?.linear;
  const operands = role ? [node.input(role.weight), node.input(0)] : node.inputs;
  return operands.find((value) => value?.initializer && value.initializer.shape.length > 0) ?? undefined;
}

/** The nodes of the shipped model that compute what the node computes. A bias that a layer got may have its output's name. */
function nodesOf(node: Node, output: Value, { layer, of }: Lowered): readonly Node[] {
  const linear = matrixLayerAt(node);
  const producer = linear ? undefined : of(output.name)?.float?.producer;
  return linear ? layer(linear).nodes : producer ? [producer] : [];
}

/** Bytes of the constants that a node of the shipped model reads, with the scales and zero points of what is dequantized. */
function bytesOf(node: Node): number {
  return node.inputs.reduce((sum, value) => sum + (value ? constantBytes(value) : 0), 0);
}

/** Of a constant, or of what is computed from constants alone. */
function constantBytes({ initializer, producer }: Value): number {
  if (initializer) return initializer.byteLength;
  const source = producer?.input(0);
  const data = producer && source && restoring.has(producer.op) ? constantBytes(source) : 0;
  return data === 0
    ? 0
    : data + producer!.inputs.slice(1).reduce((sum, part) => sum + (part ? constantBytes(part) : 0), 0);
}

/** What stands between a stored weight and who reads it. */
const restoring = new Set(["DequantizeLinear", "Cast", "Max"]);
