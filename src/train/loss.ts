/** What a loss is: a small model from outputs and targets to one number, or a function of them that returns its own gradient. */
import { Emitter, seedPrefix } from "../autodiff/inner.ts";
import { AvocetError } from "../base/inner.ts";
import { Graph, Model, type TensorType, type Value } from "../ir/inner.ts";
import type { Feeds } from "../tensor/inner.ts";

export type Types = Readonly<Record<string, TensorType>>;

/** A loss as an ONNX graph. */
export interface GraphLoss {
  readonly kind: "graph";
  /** Names of what it reads next to the outputs of the model; fed with each step. */
  readonly targets: readonly string[];
  /**
   * The loss for outputs and targets of these types (every length is a number). Inputs are some of them, by name; the first
   * output is the scalar loss. Further outputs named `gradient_of_<output>` are its gradients, where it has them in closed
   * form; without them it is differentiated.
   */
  model(outputs: Types, targets: Types): Model;
}

/** A loss as a function: outputs are fetched, gradients are fed back. Costs a second forward pass. */
export interface FunctionLoss {
  readonly kind: "function";
  readonly targets: readonly string[];
  /** Outputs that it reads and returns gradients for. Default: the first one. */
  readonly outputs?: readonly string[];
  /** Value, and gradient by output name, in the shape of the output. */
  evaluate(outputs: Feeds, targets: Feeds): { readonly value: number; readonly gradients: Feeds };
}

export type Loss = GraphLoss | FunctionLoss;

export type Values = Readonly<Record<string, Value>>;

/** The opset that losses are written in. */
export const lossOpset = 21;

/** A loss that knows its gradients, by output name. */
export interface ClosedForm {
  readonly loss: Value;
  readonly gradients: Values;
}

/** Writes a loss in nodes. `build` gets the outputs and targets by name and returns the scalar, or its gradients with it. */
export function graphLoss(
  targets: readonly string[],
  build: (e: Emitter, outputs: Values, targets: Values) => Value | ClosedForm,
): GraphLoss {
  return {
    kind: "graph",
    targets,
    model(outputTypes, targetTypes) {
      const graph = new Graph("loss");
      const inputs = (types: Types) =>
        Object.fromEntries(Object.entries(types).map(([name, type]) => [name, graph.addInput(name, type)]));
      const e = new Emitter(graph, new Map(Object.entries({ ...outputTypes, ...targetTypes })));
      const [outputs, wanted] = [inputs(outputTypes), inputs(targetTypes)];
      const built = build(e, outputs, wanted);
      const { loss, gradients } = "gradients" in built ? built : { loss: built, gradients: {} };
      graph.addOutput(e.op("Identity", [loss], {}, { output: "loss" }));
      for (const [name, gradient] of Object.entries(gradients)) {
        graph.addOutput(e.op("Identity", [gradient], {}, { output: `${seedPrefix}${name}` }));
      }
      for (const input of [...graph.inputs]) if (input.useCount === 0) graph.removeInput(input);
      return new Model(graph, [["", lossOpset]]);
    },
  };
}

/** The output that a loss is about: the one named, or the first. Throws `graph/not-found`. */
export function chosenOutput(outputs: Values, name: string | undefined): Value {
  const chosen = name === undefined ? Object.values(outputs)[0] : outputs[name];
  if (chosen) return chosen;
  throw new AvocetError("graph/not-found", `expected an output of the model, got ${name}`, {
    hint: `outputs are ${Object.keys(outputs).join(", ")}`,
  });
}
