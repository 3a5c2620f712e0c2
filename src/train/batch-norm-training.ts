/** Batch norms in the form that trains: normalised by the statistics of the batch, of which a running mean is kept. */
import { addNode, type Model } from "../ir/inner.ts";
import { takeOver } from "../passes/inner.ts";
import type { RunningState } from "./spec.ts";

export interface BatchNormTraining {
  /** Names of γ and β of every batch norm that was changed. */
  readonly affine: readonly string[];
  /** For `states` of the training graph. */
  readonly states: readonly RunningState[];
}

/**
 * Puts every batch norm whose parameters are constants into training form, in place (Ioffe and Szegedy, 2015). `keep` is
 * the share of the old running statistics in the new ones (default 0.9, PyTorch's momentum 0.1). The running variance takes
 * the variance of the batch as ONNX defines it, divided by n, where PyTorch divides by n − 1. Constants that several norms
 * share stay as they are, and so do those norms.
 */
export function trainBatchNorms(model: Model, keep = 0.9): BatchNormTraining {
  const affine: string[] = [];
  const states: RunningState[] = [];
  for (const node of [...model.graph.nodes]) {
    if (node.opName !== "BatchNormalization" || node.int("training_mode", 0) !== 0) continue;
    const parameters = [1, 2, 3, 4].map((i) => node.input(i)!);
    if (!parameters.every((value) => value.initializer && value.useCount === 1)) continue;
    const [gamma, beta, mean, variance] = parameters.map((value) => value.name) as [string, string, string, string];
    const attributes = {
      ...Object.fromEntries(node.attributes),
      momentum: { type: "float", value: keep } as const,
      training_mode: 1,
    };
    const made = addNode(model.graph, node.op, node.inputs, attributes, {
      name: node.name,
      outputs: [node.output.name, `${mean}_next`, `${variance}_next`],
      place: { before: node },
    });
    takeOver(node.output, made.output);
    model.graph.remove(node);
    affine.push(gamma, beta);
    states.push({ name: mean, next: made.outputs[1]!.name }, { name: variance, next: made.outputs[2]!.name });
  }
  return { affine, states };
}
