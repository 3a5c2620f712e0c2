/** Graphs that an exported program has inside a node because PyTorch was in another mode there: their nodes take the place of that node. */

type Json = Readonly<Record<string, unknown>>;

const object = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const argOf = (input: unknown): Json => object(object(input).arg);
const nameOf = (arg: unknown): unknown => object(object(arg).as_tensor).name;

/**
 * The nodes of a graph with those of `wrap_with_set_grad_enabled`, and of `wrap_with_autocast` that is off, written out; what they compute is
 * called after their node, and `types` gets the types of it. Nodes that have another form stay as they are.
 */
export function inlined(nodes: readonly unknown[], types: Record<string, unknown>): unknown[] {
  return nodes.flatMap((node) => written(object(node), types) ?? [node]);
}

function written(node: Json, types: Record<string, unknown>): unknown[] | undefined {
  const kind = /^torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)$/.exec(String(node.target))?.[1];
  if (kind === undefined) return undefined;
  const inputs = list(node.inputs);
  const at = inputs.findIndex((input) => "as_graph" in argOf(input));
  if (at < 0 || (kind === "autocast" && argOf(inputs[2]).as_bool !== false)) return undefined;
  const { name, graph: inner } = object(argOf(inputs[at]).as_graph);
  const graph = object(inner);
  const operands = inputs.slice(at + 1).map((input) => nameOf(argOf(input)));
  const parameters = list(graph.inputs).map(nameOf);
  const [results, outputs] = [list(graph.outputs).map(nameOf), namesOf(list(node.outputs))];
  const sound = [...operands, ...parameters, ...results, ...outputs].every((one) => typeof one === "string");
  if (!sound || operands.length !== parameters.length || results.length !== outputs.length) return undefined;
  const names = new Map(parameters.map((parameter, i) => [parameter, operands[i] as string]));
  const prefix = `${String(name)}_${String(outputs[0])}`;
  const called = (own: string) => names.get(own) ?? `${prefix}/${own}`;
  for (const [own, type] of Object.entries(object(graph.tensor_values))) types[called(own)] ??= type;
  const own = inlined(list(graph.nodes), types).map((one) => renamed(object(one), called));
  const aliases = results.map((result, i) => ({
    target: "torch.ops.aten.alias.default",
    inputs: [{ name: "self", arg: { as_tensor: { name: called(result as string) } } }],
    outputs: [{ as_tensor: { name: outputs[i] } }],
    metadata: node.metadata,
  }));
  return [...own, ...aliases];
}

/** The names of single outputs, and of those in one list. */
function namesOf(outputs: readonly unknown[]): unknown[] {
  return outputs.flatMap((output) => {
    const several = object(output).as_tensors;
    return Array.isArray(several) ? several.map((one) => object(one).name) : [nameOf(output)];
  });
}

function renamed(node: Json, called: (name: string) => string): Json {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) =>
        (key === "name" || key === "as_name") && typeof inner === "string" ? [key, called(inner)] : [key, walk(inner)],
      ),
    );
  };
  const inputs = list(node.inputs).map((input) => ({ ...object(input), arg: walk(argOf(input)) }));
  return { ...node, inputs, outputs: walk(list(node.outputs)) };
}
