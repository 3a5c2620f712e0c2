/**
 * What an export in training form left behind: Dropout that drops and batch norms of the batch's own statistics. Runtimes take
 * Dropout for nothing as they optimise and refuse such batch norms, so inference is what was meant; each is told. Operators whose
 * outputs are random by intent stay, and are told too.
 */
import { refuse } from "../../base/inner.ts";
import { constantNumbers, isOp, withSubgraphs } from "../../facts/inner.ts";
import type { Model, Node } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import type { Pass } from "../pass.ts";
import { replaceNode } from "../replace-node.ts";
import { passOf, rule } from "../rule.ts";

/** What people should know of such a node. */
export const trainingForm = "it was exported in training form, and is taken as in inference";

const inferring = rule<Node>({
  name: "use-inference",
  match: (node) => (isTraining(node) ? node : undefined),
  check: (node) => {
    if (isOp(node, "Dropout")) return true;
    const read = node.outputs.slice(1).some((output) => output.useCount > 0);
    return read ? refuse("it is in training form, and others read its statistics") : true;
  },
  rewrite: (node, graph) => {
    if (isOp(node, "Dropout")) graph.setInput(node, 2, null);
    else {
      const { training_mode: _, ...attributes } = Object.fromEntries(node.attributes);
      replaceNode(node, { op: node.op, inputs: node.inputs, attributes, outputs: 1 });
    }
  },
});

const pass = passOf("use-inference", [inferring]);

export const useInference: Pass = {
  name: pass.name,
  run(model, refuse, note) {
    for (const node of trainingNodes(model)) {
      if (inferring.why(node) === undefined) note?.(node, trainingForm);
    }
    return pass.run(model, refuse);
  },
};

/** Dropout and BatchNormalization in training form, in bodies too. */
export function trainingNodes(model: Model): Node[] {
  return nodesOf(model).filter(isTraining);
}

/** Nodes whose outputs are random: no two runs give the same numbers. Dropout in training form is not among them. */
export function randomNodes(model: Model): Node[] {
  return nodesOf(model).filter((node) => {
    if (rowOf(node)?.random !== true || isTraining(node)) return false;
    if (!isOp(node, "Dropout")) return true;
    // Whether it drops is computed.
    return node.input(2) !== null && constantNumbers(node.input(2)) === undefined;
  });
}

function nodesOf(model: Model): Node[] {
  return [...withSubgraphs(model.graph)].flatMap((graph) => [...graph.nodes]);
}

function isTraining(node: Node): boolean {
  if (isOp(node, "Dropout")) return node.input(2) !== null && (constantNumbers(node.input(2))?.[0] ?? 0) !== 0;
  if (!isOp(node, "BatchNormalization")) return false;
  return node.int("training_mode", 0) !== 0 || node.outputs.slice(1).some((output) => output.name !== "");
}
