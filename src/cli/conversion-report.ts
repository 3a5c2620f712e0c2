/** What became of a model when it was converted: for the text of `avocet convert`, and its JSON. */
import { graphsOf } from "../facts/inner.ts";
import { conversionOf, expectModelFile } from "../formats/inner-node.ts";
import type { Model } from "../ir/inner.ts";

export interface ConversionReport {
  /** The source: its format as it stands in messages, and what made it, as far as the file says. */
  readonly from: { readonly format: string; readonly what: string; readonly producer: string };
  readonly opset: number;
  /** Of the source; null where it has no graph, or is ONNX. */
  readonly source: { readonly operators: number; readonly withoutNode: number } | null;
  /** Nodes by operator, bodies and functions included. */
  readonly operators: Readonly<Record<string, number>>;
  readonly nodes: number;
  /** Transpose nodes, by name: those of the source, and those that no operator took. */
  readonly transposes: readonly string[];
  readonly weights: { readonly tensors: number; readonly bytes: number };
}

/** `path` is the file that the model was read from. */
export function conversionReport(model: Model, path: string): ConversionReport {
  const { name: format, what } = expectModelFile(path);
  const nodes = [...graphsOf(model)].flatMap((graph) => [...graph.nodes]);
  const operators: Record<string, number> = {};
  for (const { opName } of nodes) operators[opName] = (operators[opName] ?? 0) + 1;
  const tensors = new Set([...model.graph.initializers].map(({ initializer }) => initializer!));
  return {
    from: { format, what, producer: `${model.producerName} ${model.producerVersion}`.trim() },
    opset: model.opset,
    source: conversionOf(model) ?? null,
    operators,
    nodes: nodes.length,
    transposes: nodes.filter(({ op }) => op === "Transpose").map(({ name, output }) => name || output.name),
    weights: {
      tensors: tensors.size,
      bytes: [...tensors].reduce((sum, tensor) => sum + (tensor.dtype === "string" ? 0 : tensor.byteLength), 0),
    },
  };
}

/** How many names of transposes are shown. */
const shown = 5;

export function conversionText({
  from,
  opset,
  source,
  operators,
  nodes,
  transposes,
  weights,
}: ConversionReport): string {
  const counts = Object.entries(operators).sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  const more = transposes.length > shown ? ` and ${transposes.length - shown} more` : "";
  const none = source && source.withoutNode > 0 ? `, of which ${source.withoutNode} leave no node` : "";
  const before = source && `${source.operators} operators${none} → `;
  const lines = [
    ["from", `${from.what}${from.producer ? `, ${from.producer}` : ""}`],
    ["graph", `${before ?? ""}${nodes} nodes of opset ${opset}`],
    ["operators", counts.map(([op, count]) => `${op} ${count}`).join(", ") || "none"],
    [
      "transposes",
      transposes.length === 0 ? "none" : `${transposes.length}: ${transposes.slice(0, shown).join(", ")}${more}`,
    ],
    ["weights", `${weights.tensors} tensors, ${weights.bytes} bytes`],
  ];
  return lines.map(([what, text]) => `${what!.padEnd(12)}${text}\n`).join("");
}
