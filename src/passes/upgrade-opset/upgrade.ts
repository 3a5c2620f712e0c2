/**
 * Raises a model to a newer version of the standard operators, one version at a time, so that each adapter only knows
 * one step. Operators of other domains and calls of the model's own functions stay as they are.
 */

import { AvocetError } from "../../base/inner.ts";
import { withSubgraphs } from "../../facts/inner.ts";
import type { Graph, Model, Node } from "../../ir/inner.ts";
import { checkNodes, isOpType, ops, type StandardOp } from "../../ops/inner.ts";
import type { Pass } from "../pass.ts";
import { Raise } from "./adapter.ts";
import { adapters } from "./adapters.ts";
import { unchanged } from "./unchanged.ts";

/** The oldest version that is understood, and the newest that the runtime loads. */
export const oldestOpset = 7;
export const newestOpset = 26;

/** The version that int4 and 16-bit quantizers need. */
export const defaultOpset = 21;

/**
 * Raises the model in place to this opset; a model that is there already, or beyond, stays. Returns how many nodes were
 * rewritten, plus one if the version changed. Throws `import/unsupported-opset` for operators that changed before
 * version 7 and for nodes that newer versions cannot express, before anything is edited or after it in part: take a clone to keep the original.
 */
export function upgradeOpset(model: Model, to: number = defaultOpset): number {
  if (to < oldestOpset || to > newestOpset) {
    throw new AvocetError("usage/bad-value", `expected an opset from ${oldestOpset} to ${newestOpset}, got ${to}`, {
      at: model.source ?? "opset",
      hint: "the runtime loads no newer one",
    });
  }
  checkNodes(model);
  // Without standard operators (a model of ai.onnx.ml alone) there is nothing to raise.
  const from = model.opsets.get("") ?? to;
  if (from < oldestOpset) ensureUnchanged(model, model.graph, from);
  let edits = 0;
  for (let version = Math.max(from, oldestOpset) + 1; version <= to; version++)
    edits += raiseGraph(model.graph, new Raise(version, false, model));
  model.functions.forEach((made, i) => {
    const own = made.opsets.get("");
    // Function and model must agree before one can be put into the other.
    const goal = Math.max(from, to);
    if (own === undefined || own >= goal) return;
    if (goal > newestOpset) throw beyond(goal, `${model.source ?? "the model"}: function ${made.name}`);
    if (own < oldestOpset) ensureUnchanged(model, made.body, own);
    for (let version = Math.max(own, oldestOpset) + 1; version <= goal; version++)
      edits += raiseGraph(made.body, new Raise(version, true, model));
    model.functions[i] = { ...made, opsets: new Map(made.opsets).set("", goal) };
  });
  if (from >= to) return edits;
  model.opsets.set("", to);
  model.irVersion = Math.max(model.irVersion, irVersionOf(to));
  return edits + 1;
}

/** Raising counts from version to version; what no version has said yet, nobody can raise to. */
function beyond(opset: number, at: string): AvocetError {
  return new AvocetError(
    "import/unsupported-opset",
    `expected functions of opset ${opset} where the model has it, the newest that is known is ${newestOpset}`,
    { at, hint: "export the model and its functions in the same opset" },
  );
}

/** The same as a pass. */
export function upgradeTo(to: number = defaultOpset): Pass {
  return { name: "upgrade-opset", run: (model) => upgradeOpset(model, to) };
}

function raiseGraph(graph: Graph, raise: Raise): number {
  let edits = 0;
  // A copy of the list: what an adapter inserts is of the new version already.
  for (const node of [...graph.nodes]) {
    for (const body of node.subgraphs()) edits += raiseGraph(body, raise);
    if (node.domain === "" && raiseNode(node, raise)) edits++;
  }
  return edits;
}

function raiseNode(node: Node, raise: Raise): boolean {
  if (!isOpType(node.op)) throw raise.refusal(node, "the standard operators have no such operator");
  if (!ops[node.op].versions.includes(raise.version)) return false;
  const op = node.op as StandardOp;
  const adapter = adapters[op]?.[raise.version];
  if (adapter) adapter(node, raise);
  else if (!unchanged[op]?.includes(raise.version)) throw raise.refusal(node, `it did not exist before`);
  return adapter !== undefined;
}

/** Operators of versions before the oldest are understood where they have not changed since. */
function ensureUnchanged(model: Model, graph: Graph, from: number): void {
  for (const inner of withSubgraphs(graph)) {
    for (const node of inner.nodes) {
      if (node.domain !== "" || !isOpType(node.op)) continue;
      const changed = ops[node.op].versions.find((version) => version > from && version <= oldestOpset);
      if (changed === undefined) continue;
      throw new AvocetError(
        "import/unsupported-opset",
        `expected operators of version ${oldestOpset} or newer, got ${from}, since when ${node.op} has changed`,
        {
          at: model.source ? `${model.source}: ${node}` : `${node}`,
          hint: "raise it with the onnx package's version converter, or export the model again",
        },
      );
    }
  }
}

/** The oldest file version whose specification knows these operators. */
export function irVersionOf(opset: number): number {
  if (opset >= 25) return 13;
  if (opset >= 24) return 12;
  if (opset >= 23) return 11;
  if (opset >= 21) return 10;
  return opset >= 19 ? 9 : opset >= 15 ? 8 : 7;
}
