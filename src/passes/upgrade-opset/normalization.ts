/** Adapters of normalizations. */
import { Tensor } from "../../tensor/inner.ts";
import { replaceNode, takeOver } from "../replace-node.ts";
import type { Adapter } from "./adapter.ts";

/** spatial = 0 had statistics per place: that is plain arithmetic over everything but the batch. */
export const batchNormalization9: Adapter = (node, raise) => {
  const spatial = node.int("spatial", 1);
  node.attributes.delete("spatial");
  if (spatial !== 0) return;
  const [x, scale, bias, mean, variance] = node.inputs as NonNullable<(typeof node.inputs)[number]>[];
  const epsilon = raise.constant(node, "epsilon", Tensor.scalar(node.float("epsilon", 1e-5)));
  const centred = raise.before(node, "Sub", [x!, mean!]);
  const deviation = raise.before(node, "Sqrt", [raise.before(node, "Add", [variance!, epsilon])]);
  const scaled = raise.before(node, "Mul", [raise.before(node, "Div", [centred, deviation]), scale!]);
  takeOver(node.output, raise.before(node, "Add", [scaled, bias!]));
  node.graph!.remove(node);
};

/** Training form had five outputs, and was recognised by them. */
export const batchNormalization14: Adapter = (node, raise) => {
  if (node.outputs.length === 1) return;
  const read = node.outputs.slice(3).find((value) => value.useCount > 0);
  if (read) throw raise.refusal(node, `its output ${read.name} no longer exists`);
  const training = node.outputs.slice(1).some((value) => value.useCount > 0);
  replaceNode(node, {
    op: "BatchNormalization",
    inputs: node.inputs,
    attributes: { ...Object.fromEntries(node.attributes), ...(training ? { training_mode: 1 } : {}) },
    outputs: training ? 3 : 1,
  });
};

/** Scale and bias were per group and are per channel: each is repeated for the channels of its group. */
export const groupNormalization21: Adapter = (node, raise) => {
  const groups = node.int("num_groups");
  if (groups === undefined) throw raise.refusal(node, "it has no num_groups");
  const channels = raise.before(node, "Shape", [node.input(0)], { start: 1, end: 2 });
  const perGroup = raise.before(node, "Div", [channels, raise.ints(node, "groups", [groups])]);
  const target = raise.before(node, "Concat", [raise.ints(node, "rows", [groups]), perGroup], { axis: 0 });
  const column = raise.ints(node, "column", [1]);
  const all = raise.ints(node, "all", [-1]);
  for (const index of [1, 2]) {
    const rows = raise.before(node, "Expand", [raise.before(node, "Unsqueeze", [node.input(index), column]), target]);
    node.graph!.setInput(node, index, raise.before(node, "Reshape", [rows, all]));
  }
};
