/**
 * R1 of SpinQuant (Liu et al. 2024): a residual stream is rotated, x ↦ x·M. What writes into it takes M in, what reads it takes Mᵀ in, and
 * normalizations without gains commute with M.
 */
import { type Refused, refuse } from "../../base/inner.ts";
import { floatConstant } from "../../facts/inner.ts";
import { addNode, type Graph, type Node, type Use, type Value } from "../../ir/inner.ts";
import { type EditableLayer, replaceConstant } from "../../passes/inner.ts";
import {
  isSameUse,
  layerReading,
  type ResidualStream,
  readsTable,
  tablesOf,
  type Writer,
} from "../../passes/inner-transformer.ts";
import { Tensor } from "../../tensor/inner.ts";
import { inverse, type Orthogonal } from "./orthogonal.ts";
import type { Products } from "./products.ts";
import { rotateInputs, rotateOutputs } from "./rotate-layer.ts";

/** Where a stream begins or ends in something that holds no weights, a product of its own is computed: at its ends, not in every block. */
const mostEnds = 4;

/** Why the stream is not rotated; what is computed in addition where it can be. */
export function endsOf(stream: ResidualStream): Refused | { readonly begins: Value[]; readonly ends: Use[] } {
  const begins = stream.writers.flatMap((writer) => (writer.kind === "other" ? writer.value : []));
  const own = new Set(begins);
  const direct = stream.readers.filter((use) => !own.has(read(use)!));
  const isTied = (use: Use) => "node" in use && readsTable(use.node, tablesOf(stream));
  const normalized = stream.norms.flatMap(({ result }) =>
    [...result.uses()].filter((use) => !layerReading(use) && !isTied(use)),
  );
  const ends = [...direct, ...normalized];
  if (begins.length + ends.length <= mostEnds) return { begins, ends };
  const names = [...begins.map((value) => value.name), ...ends.map((use) => read(use)?.name)];
  return refuse(`${names.slice(0, mostEnds).join(", ")} … are no layers, and a rotation cannot go into them`);
}

/** The stream is one of `foldGains`, found again after it; `tied` are the products that it made. Everything is edited in place. */
export async function rotateStream(
  graph: Graph,
  stream: ResidualStream,
  { begins, ends }: { readonly begins: readonly Value[]; readonly ends: readonly Use[] },
  matrix: Orthogonal,
  products: Products,
  tied: readonly EditableLayer[],
): Promise<void> {
  const back = inverse(matrix);
  const inner = stream.norms.flatMap(({ result }) => [...result.uses()].flatMap((use) => layerReading(use) ?? []));
  const apart = new Set(stream.readers.filter((use) => begins.includes(read(use)!)));
  for (const use of ends) online(graph, read(use)!, back, [use]);
  for (const layer of inner) await rotateInputs(layer, matrix, products);
  for (const layer of tied) await rotateOutputs(layer, matrix, products);
  await rotateTables(graph, stream.writers, tied, matrix, products);
  for (const writer of stream.writers) {
    if (writer.kind === "layer") await rotateOutputs(writer.layer, matrix, products);
    if (writer.kind === "constant") {
      const rotated = await products.alongLast(writer.tensor, matrix);
      replaceConstant(graph, writer.node, writer.index, rotated, `${writer.node.output.name}_rotated`);
    }
  }
  for (const value of begins) {
    online(
      graph,
      value,
      matrix,
      [...value.uses()].filter((use) => ![...apart].some((one) => isSameUse(one, use))),
    );
  }
}

/** Gathers and heads that share a table go on sharing it; who else reads it keeps the old one. */
async function rotateTables(
  graph: Graph,
  writers: readonly Writer[],
  tied: readonly EditableLayer[],
  matrix: Orthogonal,
  products: Products,
): Promise<void> {
  const gathers = writers.flatMap((writer) => (writer.kind === "table" ? writer.gather : []));
  const heads = tied.flatMap(({ result }) => result.consumers());
  const readers = new Set([...gathers, ...heads, ...heads.flatMap((head) => head.input(1)?.producer ?? [])]);
  for (const table of new Set(gathers.map((gather) => gather.input(0)!))) {
    const rotated = await products.alongLast(floatConstant(table)!, matrix);
    const isOwn = (use: Use) => "node" in use && readers.has(use.node);
    if ([...table.uses()].every(isOwn) && !table.isGraphInput) table.initializer = rotated;
    else graph.replaceUses(table, graph.addInitializer(`${table.name}_rotated`, rotated), isOwn);
  }
}

const read = (use: Use): Value | null =>
  "node" in use ? use.node.input(use.index) : (use.graph.outputs[use.index] ?? null);

/** A product by a constant matrix, computed when the model runs, for these readers. Returns its node. */
export function online(graph: Graph, value: Value, { size, entries }: Orthogonal, uses: readonly Use[]): Node {
  const before = [...graph.nodes].find((node) => uses.some((use) => "node" in use && use.node === node));
  const name = `${value.name}_rotation`;
  const weight = graph.addInitializer(`${name}.weight`, Tensor.float32([size, size], Float32Array.from(entries)));
  const options = { name, output: `${value.name}_rotated`, ...(before ? { place: { before } } : {}) };
  const product = addNode(graph, "MatMul", [value, weight], {}, options);
  graph.replaceUses(value, product.output, (use) => uses.some((one) => isSameUse(one, use)));
  return product;
}
