/** A step of an RNN:  h' = act(W·x + R·h + b).  Alone it is any layer; a chain of steps with the same weights is recurrent. */
import type { LengthTable } from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import { gateAt, nodesOf, type Step } from "./step.ts";

/** The step whose state this node may compute; else nothing. */
export function rnnAt(node: Node, lengths: LengthTable): Step | undefined {
  const gate = gateAt(node.output, lengths);
  if (!gate || gate.sum.rest.length > 0 || gate.sum.terms.length === 0) return undefined;
  return {
    op: "RNN",
    hidden: gate.sum.outputs,
    gates: [gate],
    functions: [gate.activate],
    before: {},
    after: { h: node.output },
    nodes: new Set(nodesOf([gate])),
  };
}
