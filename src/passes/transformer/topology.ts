/** What blocks a transformer is made of, as data: for people who look at a model, and for methods that go block by block. */
import { isRefused } from "../../base/inner.ts";
import type { LengthTable } from "../../facts/inner.ts";
import type { Graph, Node, Value } from "../../ir/inner.ts";
import type { EditableLayer } from "../layers/editable.ts";
import { layerReading } from "./fold-gains.ts";
import { headsOf } from "./heads.ts";
import { type ResidualStream, residualStreams } from "./residual-stream.ts";

/** One addition to the stream. */
export interface TransformerBlock {
  readonly kind: "attention" | "mlp";
  /** The layers that read the normalized stream, by the names of their nodes. */
  readonly inputs: readonly string[];
  /** The layer whose result is added. */
  readonly output: string;
  /** Of attention: heads of queries and of values, and how long they are; null where that is not seen. */
  readonly heads: { readonly queries: number; readonly values: number; readonly size: number } | null;
  /** Channels that the last layer reads. */
  readonly hidden: number;
}

/** One residual stream and what adds to it. */
export interface Transformer {
  readonly width: number;
  readonly norm: "layer" | "rms";
  /** Tables whose rows begin the stream. */
  readonly tables: readonly string[];
  readonly blocks: readonly TransformerBlock[];
  /** Layers that read the normalized stream and are in no block: heads. */
  readonly heads: readonly string[];
}

/** The transformers of a graph; none where there is no residual stream that layers add to and normalizations read. */
export function transformersOf(graph: Graph, lengths: LengthTable): Transformer[] {
  const order = new Map([...graph.nodes].map((node, i) => [node, i]));
  return residualStreams(graph, lengths).map((stream) => transformerOf(stream, order, lengths));
}

function transformerOf(stream: ResidualStream, order: ReadonlyMap<Node, number>, lengths: LengthTable): Transformer {
  const readers = new Map(
    stream.norms.flatMap(({ result }) =>
      [...result.uses()].flatMap((use) => {
        const layer = layerReading(use);
        return layer ? [[layer.node, nameOf(layer.node)] as const] : [];
      }),
    ),
  );
  const free = new Map(readers);
  const first = (layer: EditableLayer) => order.get(layer.node) ?? 0;
  const layers = stream.writers
    .flatMap((writer) => (writer.kind === "layer" ? writer.layer : []))
    .sort((a, b) => first(a) - first(b));
  const blocks = layers.map((layer) => {
    const inputs = sourcesOf(layer.node.input(0), readers);
    for (const node of inputs) free.delete(node);
    return blockOf(layer, inputs.sort((a, b) => order.get(a)! - order.get(b)!).map(nameOf), lengths);
  });
  return {
    width: stream.width,
    norm: stream.norms.some(({ kind }) => kind === "layer") ? "layer" : "rms",
    tables: stream.writers.flatMap((writer) => (writer.kind === "table" ? writer.gather.input(0)!.name : [])),
    blocks,
    heads: [...free.values()],
  };
}

function blockOf(layer: EditableLayer, inputs: readonly string[], lengths: LengthTable): TransformerBlock {
  const found = headsOf(layer, lengths);
  const hidden = layer.axes.inputs;
  const known = found && !isRefused(found) ? found : undefined;
  const heads = known && {
    queries: hidden / known.size,
    values: known.values.axes.outputs / known.size,
    size: known.size,
  };
  return { kind: found ? "attention" : "mlp", inputs, output: nameOf(layer.node), heads: heads ?? null, hidden };
}

/** The layers that read the stream and on which this value depends, other streams and layers in between included. */
function sourcesOf(value: Value | null, readers: ReadonlyMap<Node, string>): Node[] {
  const found = new Set<Node>();
  const seen = new Set<Node>();
  const waiting = [value?.producer];
  for (let node = waiting.pop(); waiting.length > 0 || node; node = waiting.pop()) {
    if (!node || seen.has(node)) continue;
    seen.add(node);
    if (readers.has(node)) found.add(node);
    else waiting.push(...node.inputs.map((input) => input?.producer));
  }
  return [...found];
}

const nameOf = (node: Node): string => node.name || node.output.name;

/** One line for people. */
export function describeTransformer({ width, norm, blocks, tables, heads }: Transformer): string {
  const attentions = blocks.filter(({ kind }) => kind === "attention");
  const mlps = blocks.filter(({ kind }) => kind === "mlp");
  const seen = attentions.find((block) => block.heads)?.heads;
  const shared = seen && seen.values !== seen.queries ? `, ${seen.values} of values` : "";
  const parts = [
    `${width} channels, ${norm === "rms" ? "RMS" : "layer"} normalization`,
    ...(attentions.length > 0
      ? [`${attentions.length} × attention${seen ? ` (${seen.queries} heads of ${seen.size}${shared})` : ""}`]
      : []),
    ...(mlps.length > 0
      ? [`${mlps.length} × MLP of ${[...new Set(mlps.map(({ hidden }) => hidden))].join(", ")}`]
      : []),
    ...(tables.length > 0 ? [`table ${tables.join(", ")}`] : []),
    ...(heads.length > 0 ? [`head ${heads.slice(0, 3).join(", ")}`] : []),
  ];
  return parts.join(", ");
}
