/** Losses that somebody brings along: an ONNX graph, or a function. */
import { cloneModel, type Model } from "../../ir/inner.ts";
import type { FunctionLoss, GraphLoss } from "../loss.ts";

/**
 * A model as a loss: its inputs are outputs of the trained model (by name) and targets, its first output is the scalar.
 * Outputs named `gradient_of_<output>` give the gradients; without them the graph is differentiated.
 */
export function modelLoss(model: Model, targets: readonly string[]): GraphLoss {
  return { kind: "graph", targets, model: () => cloneModel(model) };
}

/** A function as a loss: it gets outputs and targets, and returns the value and its gradient by output name. */
export function functionLoss(
  evaluate: FunctionLoss["evaluate"],
  { targets = [], outputs }: Partial<Pick<FunctionLoss, "targets" | "outputs">> = {},
): FunctionLoss {
  return { kind: "function", targets, evaluate, ...(outputs && { outputs }) };
}
