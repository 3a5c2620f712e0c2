/** Several losses as one: Σ w · loss. */
import { Emitter } from "../../autodiff/inner.ts";
import { absorb, Graph, Model, type TensorType, type Value } from "../../ir/inner.ts";
import { type GraphLoss, lossOpset, type Types } from "../loss.ts";

/** The sum of losses, each times its weight. Losses that are functions cannot take part. */
export function weightedSum(parts: readonly { readonly loss: GraphLoss; readonly weight: number }[]): GraphLoss {
  return {
    kind: "graph",
    targets: [...new Set(parts.flatMap(({ loss }) => loss.targets))],
    model(outputs: Types, targets: Types) {
      const graph = new Graph("loss");
      const inputs = new Map<string, Value>();
      const input = (name: string, type: TensorType) => {
        const value = inputs.get(name) ?? graph.addInput(name, type);
        inputs.set(name, value);
        return value;
      };
      const e = new Emitter(graph);
      const opsets = new Map([["", lossOpset]]);
      const terms = parts.map(({ loss, weight }) => {
        const part = loss.model(outputs, targets);
        for (const [domain, version] of part.opsets) opsets.set(domain, Math.max(version, opsets.get(domain) ?? 0));
        const inside = new Map<Value, Value | null>(
          part.graph.inputs.map((value) => [value, input(value.name, (outputs[value.name] ?? targets[value.name])!)]),
        );
        absorb(graph, part.graph, inside);
        return e.mul(inside.get(part.graph.outputs[0]!)!, weight);
      });
      graph.addOutput(e.op("Sum", terms));
      return new Model(graph, opsets);
    },
  };
}
