/** `checkNodes`: every node of a model keeps the rules of its operator. Passes and kernels rely on it. */
import { AvocetError } from "../base/inner.ts";
import type { Graph, Model } from "../ir/inner.ts";
import { newest, nodeFaults } from "./node-faults.ts";

/** Enough faults to see a pattern, few enough to read; names in a file may be of any length. */
const shown = 20;
const length = 400;

/**
 * Throws `graph/invalid-node` with the list of nodes that break the rules of their operators: inputs or outputs that
 * are missing or too many, attributes that are missing, of another type or out of range, bodies and weights that do
 * not fit. Operators without a row (custom domains, functions of the model) are taken as they are; versions beyond 26 may
 * take and give more than is known.
 */
export function checkNodes(model: Model): void {
  const faults = [...faultsOf(model)];
  const [first] = faults;
  if (!first) return;
  const at = model.source ? `${model.source}: ${first.node}` : first.node;
  const detail = {
    at: at.slice(0, length),
    hint: "mend the node or export the model again: docs/operators.md lists what operators take",
  };
  if (faults.length === 1) throw new AvocetError("graph/invalid-node", first.fault, detail);
  const lines = faults.slice(0, shown).map(({ node, fault }) => `  ${node}: ${fault}`.slice(0, length));
  if (faults.length > shown) lines.push(`  and ${faults.length - shown} more`);
  const { source } = model;
  throw new AvocetError("graph/invalid-node", `nodes break the rules of their operators:\n${lines.join("\n")}`, {
    ...detail,
    at: source ?? detail.at,
  });
}

function* faultsOf(model: Model): Iterable<{ node: string; fault: string }> {
  yield* ofGraph(model.graph, model.opsets);
  for (const made of model.functions) yield* ofGraph(made.body, made.opsets);
}

function* ofGraph(graph: Graph, opsets: ReadonlyMap<string, number>): Iterable<{ node: string; fault: string }> {
  for (const node of graph.nodes) {
    const opset = opsets.get(node.domain) ?? (node.domain === "" ? newest : 1);
    for (const fault of nodeFaults(node, opset)) yield { node: `${node}`, fault };
    for (const body of node.subgraphs()) yield* ofGraph(body, opsets);
  }
}
