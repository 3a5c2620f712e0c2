/** Convolutions that give the scores of a model at one position: classifiers that were written as 1 × 1 convolutions. */
import type { Node, Value } from "../../ir/inner.ts";
import type { Facts } from "../facts.ts";
import { givesScores } from "../plan/layer-reasons.ts";
import type { IntegerKernels } from "../targets/target.ts";

/**
 * Convolutions whose kernel gives nothing but integers, though no layer follows that would read them, each with the reason. Scores
 * in 256 steps make ties between classes: 6 % of the decisions of MobileNetV1-0.25, which the last bit of anything then decides.
 * At one position float costs no more than integers do (docs/onnx-runtime.md); weights stay integers. Where they are all that
 * there is to quantize, they are quantized nevertheless.
 */
export function scoreConvolutions(facts: Facts, kernels: IntegerKernels): Map<Node, string> {
  const isLinear = (node: Node) => node.domain === "" && kernels.linear.has(node.op);
  const found = new Map<Node, string>();
  let others = 0;
  for (const node of facts.model.graph.nodes) {
    if (!isLinear(node)) continue;
    const positions = facts.shape(node.output)?.slice(2);
    const single = positions !== undefined && positions.length > 0 && positions.every((length) => length === 1);
    if (single && !kernels.floatOutput.has(node.op) && !reaches(node.output, isLinear)) {
      found.set(node, `${givesScores}: integers of ${node.op} would make ties, and float takes no longer`);
    } else others++;
  }
  return others > 0 ? found : new Map();
}

/** Whether anything computed from the value is read by such a node; bodies of If and Loop, which are not looked into, may. */
function reaches(value: Value, wanted: (node: Node) => boolean): boolean {
  const seen = new Set<Node>();
  const ahead = [...value.consumers()];
  for (let node = ahead.pop(); node; node = ahead.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (
      wanted(node) ||
      node.graph !== value.graph ||
      [...node.attributes.values()].some(({ type }) => type === "graph")
    )
      return true;
    for (const output of node.outputs) ahead.push(...output.consumers());
  }
  return false;
}
