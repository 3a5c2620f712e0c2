/** The operators of a report: what each costs, on which grids it is, how much signal it keeps and what runs it. */
import { macsOfNode, type Similarity } from "../analysis/index.ts";
import type { Node, Value } from "../ir/index.ts";
import { rowOf } from "../ops/index.ts";
import { entriesByValue, gridName, type KernelFinding, type PlanEntry } from "../quant/index.ts";
import type { LayerReport } from "../report/index.ts";
import type { Quantized } from "./quantized.ts";

/** One row an operator of the prepared model, in the order of execution. */
export function layerReports(
  quantized: Quantized,
  similarity: readonly Similarity[],
  kernels: readonly KernelFinding[],
): LayerReport[] {
  const { prepared, shipped, shapes, plan } = quantized;
  const entries = entriesByValue(plan);
  const sqnrs = new Map(similarity.map(({ name, sqnr }) => [name, sqnr]));
  const stored = shipped.graph.valuesByName();
  const found = new Map(kernels.map((finding) => [finding.node, finding]));
  const gridOf = (entry: PlanEntry | undefined) => (entry?.encoding ? gridName(entry.encoding.grid) : null);
  const rows: LayerReport[] = [];
  for (const node of prepared.graph.nodes) {
    const output = node.outputs.find((value) => value.name !== "");
    if (!output || (node.op === "Constant" && node.domain === "")) continue;
    const twin = stored.get(output.name)?.producer ?? null;
    const kernel = twin ? found.get(`${twin}`) : undefined;
    const result = resultOf(output, (value) => sqnrs.has(value.name) || entries.has(value.name));
    const sqnr = sqnrs.get(result.name);
    const weight = weightOf(node);
    rows.push({
      name: node.name || output.name,
      op: node.opName,
      macs: macsOfNode(node, shapes) ?? null,
      bytes: twin ? bytesOf(twin) : 0,
      weight: weight ? gridOf(entries.get(weight.name)) : null,
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

/** The constant that a linear operator multiplies with. */
function weightOf(node: Node): Value | undefined {
  const role = rowOf(node)?.linear;
  const operands = role ? [node.input(role.weight), node.input(0)] : node.inputs;
  return operands.find((value) => value?.initializer && value.initializer.shape.length > 0) ?? undefined;
}

/** Bytes of the constants that a node of the shipped model reads, behind DequantizeLinear with its scales and zero points. */
function bytesOf(node: Node): number {
  let bytes = 0;
  for (const value of node.inputs) {
    if (value?.initializer) bytes += value.initializer.byteLength;
    const { producer } = value ?? {};
    if (producer?.op !== "DequantizeLinear" || !producer.input(0)?.initializer) continue;
    for (const part of producer.inputs) bytes += part?.initializer?.byteLength ?? 0;
  }
  return bytes;
}
