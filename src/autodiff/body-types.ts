/**
 * Types of all values, those in the bodies of If, Loop and Scan too: each body is run as a model of its own, on what it
 * gets at its first step.
 */

import { AvocetError } from "../base/inner.ts";
import { readsOf } from "../facts/inner.ts";
import {
  absorb,
  cloneModel,
  extract,
  Graph,
  Model,
  type Node,
  type TensorType,
  tensorType,
  type Value,
} from "../ir/inner.ts";
import { type Runtime, traceShapes } from "../runtime/inner.ts";
import { type Feeds, sizeOf, Tensor } from "../tensor/inner.ts";

/**
 * What `traceShapes` returns, and for each value of a body an entry under the name that `bodyTypes` looks up. A body that
 * cannot be run by itself has none; its operators then refuse their gradient, and say so.
 */
export async function traceTypes(model: Model, runtime: Runtime, feeds: Feeds): Promise<Map<string, TensorType>> {
  const types = await traceShapes(model, runtime, feeds);
  const holders = [...model.graph.nodes].filter((node) => bodiesOf(node).length > 0);
  if (holders.length === 0) return types;
  const content = await contentOf(model, holders, runtime, feeds);
  for (const node of holders) {
    for (const [attribute, body] of bodiesOf(node)) {
      const inside = await typesInside(model, node, body, content, runtime);
      for (const [name, type] of inside) types.set(`${prefixOf(node, attribute)}${name}`, type);
    }
  }
  return types;
}

/** The types that hold inside a body: those of its own values and of what it captures. */
export function bodyTypes(
  types: ReadonlyMap<string, TensorType>,
  node: Node,
  attribute: string,
): Map<string, TensorType> {
  const prefix = prefixOf(node, attribute);
  const found = new Map(types);
  for (const [name, type] of types) if (name.startsWith(prefix)) found.set(name.slice(prefix.length), type);
  return found;
}

/** Sibling bodies may repeat names, so these are told apart by their node, and by the attribute that holds them. */
function prefixOf(node: Node, attribute: string): string {
  return `${node.outputs[0]?.name}/${attribute}/`;
}

function bodiesOf(node: Node): [string, Graph][] {
  return [...node.attributes].flatMap(([name, { type, value }]) => (type === "graph" ? [[name, value]] : []));
}

/** What the nodes read when the model runs: constants, and what one more run fetches. */
async function contentOf(model: Model, nodes: readonly Node[], runtime: Runtime, feeds: Feeds): Promise<Feeds> {
  const reads = new Set(nodes.flatMap((node) => [...readsOf(node)]));
  const found: Record<string, Tensor> = {};
  const asked: string[] = [];
  for (const value of reads) {
    const known = value.initializer ?? feeds[value.name];
    if (known) found[value.name] = known;
    else asked.push(value.name);
  }
  if (asked.length === 0) return found;
  const part = extract(cloneModel(model), asked);
  await using session = await runtime.open(part, { optimization: "off" });
  const wanted = Object.fromEntries(session.inputs.map(({ name }) => [name, feeds[name]!]));
  return { ...found, ...(await session.run(wanted)) };
}

async function typesInside(
  model: Model,
  node: Node,
  body: Graph,
  content: Feeds,
  runtime: Runtime,
): Promise<Map<string, TensorType>> {
  const graph = new Graph(body.name);
  const map = new Map<Value, Value | null>();
  const feeds: Record<string, Tensor> = {};
  const add = (value: Value, tensor: Tensor) => {
    map.set(value, graph.addInput(value.name, tensorType(tensor.dtype, tensor.shape)));
    feeds[value.name] = tensor;
  };
  const given = firstStep(node, content);
  for (const [i, value] of body.inputs.entries()) add(value, given[i]!);
  for (const value of readsOf(node)) if (!map.has(value)) add(value, content[value.name]!);
  absorb(graph, body, map);
  graph.setOutputs(body.outputs.map((value) => map.get(value)!));
  const alone = new Model(graph, model.opsets);
  alone.irVersion = model.irVersion;
  try {
    return await traceTypes(alone, runtime, feeds);
  } catch (error) {
    if (AvocetError.is(error)) return new Map();
    throw error;
  }
}

/** What the inputs of a body get at its first step. */
function firstStep(node: Node, content: Feeds): Tensor[] {
  const inputs = node.inputs.map((value) => value && content[value.name]!);
  const carried = (list: typeof inputs) => list.filter((tensor) => tensor !== null);
  switch (node.op) {
    case "Loop":
      return [Tensor.scalar(0, "int64"), Tensor.of("bool", [], Uint8Array.of(1)), ...carried(inputs.slice(2))];
    case "Scan": {
      const first = inputs.length - node.int("num_scan_inputs", 0);
      const axes = node.ints("scan_input_axes", []);
      const elements = carried(inputs.slice(first)).map((tensor, i) => element(tensor, axes[i] ?? 0));
      return [...carried(inputs.slice(0, first)), ...elements];
    }
    default:
      return [];
  }
}

/** Something with the shape of one element along an axis; which numbers it holds does not matter to shapes. */
function element(tensor: Tensor, axis: number): Tensor {
  const at = axis < 0 ? axis + tensor.shape.length : axis;
  const shape = tensor.shape.filter((_, i) => i !== at);
  return Tensor.of(tensor.dtype, shape, tensor.data.slice(0, sizeOf(shape)));
}
