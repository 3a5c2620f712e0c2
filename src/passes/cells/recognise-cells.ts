/**
 * Recurrent layers that exporters wrote out in MatMul, Add, Sigmoid, Tanh and Mul become LSTM, GRU and RNN of the standard: one step with its
 * states outside, as streaming networks have it, or many that follow each other. The operator sums in another order, so outputs agree to float32
 * rounding and not to the bit.
 */
import { isRefused, type Refused, refuse } from "../../base/inner.ts";
import { type Lengths, LengthTable, withSubgraphs } from "../../facts/inner.ts";
import type { Graph, Model, Node, Value } from "../../ir/inner.ts";
import type { Pass } from "../pass.ts";
import { type Chain, chainOf, linked, readElsewhere, stepsOf } from "./chain.ts";
import { placeFor, writeChain } from "./write.ts";

/** What surrounds the operator takes axes as inputs since this version. */
const leastOpset = 13;

/** Does nothing to models of older operator sets. */
export const recogniseCells: Pass = {
  name: "recognise-cells",
  run(model, refuse) {
    if (model.opset < leastOpset) return 0;
    let edits = 0;
    for (const graph of withSubgraphs(model.graph)) {
      let left = recogniseOne(model, graph);
      for (; left === "written"; left = recogniseOne(model, graph)) edits++;
      for (const [node, reason] of left) refuse?.(node, reason);
    }
    return edits;
  },
};

/** Layers stand on each other, so one is written before the next is looked for; where there is none, those that were left alone, with the reason. */
function recogniseOne(model: Model, graph: Graph): "written" | (readonly [Node, string])[] {
  const lengths = new LengthTable(model);
  const left: [Node, string][] = [];
  for (const steps of linked(stepsOf(graph, lengths), lengths)) {
    const chain = chainOf(steps, lengths);
    const refused = isRefused(chain) ? chain : (faultOf(chain, lengths) ?? readElsewhere(chain));
    const place = refused || isRefused(chain) ? undefined : placeFor(chain, graph);
    if (place && !isRefused(chain)) {
      writeChain(chain, place, lengths);
      return "written";
    }
    left.push([steps[0]!.after.h.producer!, refused?.refused ?? "what it reads follows from its own states"]);
  }
  return left;
}

/** Why the operator would not run where the steps do: samples of the inputs and states that are spread over each other. */
function faultOf({ steps, inputs, start }: Chain, lengths: LengthTable): Refused | undefined {
  const batch = (value: Value, gone?: number) => {
    const shape: Lengths | undefined = lengths.of(value)?.filter((_, axis) => axis !== gone);
    return shape?.length === 2 ? shape[0] : undefined;
  };
  const found = [
    ...inputs.flat().map(({ value, pick }) => batch(value, pick?.axis)),
    ...(start.h ? [batch(start.h.value, start.h.pick?.axis)] : []),
    ...(start.c ? [batch(start.c)] : []),
    ...steps.map(({ after }) => batch(after.h)),
  ];
  if (found.includes(undefined)) return refuse("what it reads is not [batch, inputs]");
  const batches = [...new Set(found)];
  // Two lengths that are only known when it runs are taken to be one, which the sums ask of them as well.
  const known = batches.some((length) => typeof length === "number");
  return known && batches.length > 1 ? refuse(`its batch is ${batches.join(" and ")}`) : undefined;
}
