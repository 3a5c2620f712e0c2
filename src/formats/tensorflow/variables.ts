/** Variables of a SavedModel: which key of the bundle each was saved under, and which of them the model writes. */
import type { Reference, SourceFunction, SourceGraph, SourceNode } from "./graph.ts";

/** Node of a variable → key in the bundle, as the graph itself says how it restores them: Assign(variable, RestoreV2[i]). */
export function savedKeys(graph: SourceGraph): Map<string, string> {
  const keys = new Map<string, string>();
  collect(graph.nodes, (reference) => reference.node, keys);
  for (const node of graph.nodes.values()) {
    if (!isCall(node)) continue;
    const made = graph.functions.get(node.attributes.func("f"));
    if (!made) continue;
    const given = new Map(made.inputs.map((input, i) => [input, node.inputs[i]?.node]));
    collect(made.nodes, (reference) => given.get(reference.node), keys);
  }
  return keys;
}

const isCall = (node: SourceNode) => node.op === "StatefulPartitionedCall" || node.op === "PartitionedCall";

function collect(
  nodes: ReadonlyMap<string, SourceNode>,
  variableOf: (reference: Reference) => string | undefined,
  keys: Map<string, string>,
): void {
  for (const node of nodes.values()) {
    if (node.op !== "AssignVariableOp" && node.op !== "Assign") continue;
    const [target, source] = node.inputs;
    if (!target || !source) continue;
    const restored = behindIdentity(nodes, source);
    const from = restored && nodes.get(restored.node);
    const names = from?.op === "RestoreV2" ? nodes.get(from.inputs[1]?.node ?? "") : undefined;
    const key = names?.op === "Const" ? names.attributes.get("value")?.tensor?.strings[restored!.index] : undefined;
    const variable = variableOf(target);
    if (key && variable !== undefined) keys.set(variable, new TextDecoder().decode(key));
  }
}

/** What a value is when Identity is looked through. */
function behindIdentity(nodes: ReadonlyMap<string, SourceNode>, reference: Reference): Reference | undefined {
  let at = reference;
  for (let steps = 0; steps <= nodes.size; steps++) {
    const node = nodes.get(at.node);
    if (!node) return undefined;
    if (node.op !== "Identity" || !node.inputs[0]) return at;
    at = node.inputs[0];
  }
  return undefined;
}

/**
 * Nodes of the variables that are written on the way to these nodes, in functions too: states. A function is looked at once for each
 * combination of variables that it is given.
 */
export function writtenVariables(graph: SourceGraph, targets: readonly string[]): Set<string> {
  const written = new Set<string>();
  const seen = new Set<string>();
  const look = (
    nodes: ReadonlyMap<string, SourceNode>,
    roots: readonly string[],
    given: ReadonlyMap<string, string>,
  ): void => {
    const open = [...roots];
    const known = new Set<string>();
    while (open.length > 0) {
      const name = open.pop()!;
      const node = nodes.get(name);
      if (known.has(name) || !node) continue;
      known.add(name);
      open.push(...node.controls, ...node.inputs.map((input) => input.node));
      const variable = (reference: Reference | undefined): string | undefined => {
        const at = reference && (given.has(reference.node) ? reference : behindIdentity(nodes, reference));
        if (!at) return undefined;
        return given.get(at.node) ?? (nodes.get(at.node)?.op === "VarHandleOp" ? at.node : undefined);
      };
      if (/^Assign.*VariableOp$/.test(node.op)) {
        const found = variable(node.inputs[0]);
        if (found !== undefined) written.add(found);
      }
      for (const one of functionsOf(graph, node)) {
        // Branches and loops have their condition in front of what they hand over, or not.
        const skip = node.inputs.length - one.inputs.length;
        const handed = new Map(
          one.inputs.flatMap((input, i) => {
            const found = variable(node.inputs[i + Math.max(skip, 0)]);
            return found === undefined ? [] : [[input, found] as const];
          }),
        );
        const key = JSON.stringify([one.name, [...handed]]);
        if (seen.has(key)) continue;
        seen.add(key);
        pending.push(() => look(one.nodes, [...one.controls, ...one.outputs.map((output) => output.node)], handed));
      }
    }
  };
  const pending: (() => void)[] = [() => look(graph.nodes, targets, new Map())];
  while (pending.length > 0) pending.pop()!();
  return written;
}

function functionsOf(graph: SourceGraph, node: SourceNode): SourceFunction[] {
  const names = ["f", "body", "cond", "then_branch", "else_branch"].map((key) => node.attributes.func(key));
  return names.flatMap((name) => graph.functions.get(name) ?? []);
}
