/** Scan lost its batch axis in version 9. */
import { type AttributeLike, addNode, cloneGraph, Graph, type Value } from "../../ir/inner.ts";
import { replaceNode } from "../replace-node.ts";
import type { Adapter } from "./adapter.ts";

/**
 * Until version 8 every state and every scanned input began with the batch, and the body saw one sample. That is a
 * Scan over the samples around a Scan over the steps.
 */
export const scan9: Adapter = (node, raise) => {
  if (node.input(0)) throw raise.refusal(node, "its samples have lengths of their own (sequence_lens)");
  const body = [...node.subgraphs()][0];
  const scanned = node.int("num_scan_inputs");
  if (!body || scanned === undefined) throw raise.refusal(node, "it has no body");
  const given = node.inputs.slice(1);
  const outer = new Graph(`${body.name}_samples`, node.graph!.names);
  const names = outer.names;
  const perSample = given.map((value) => outer.addInput(names.spare(`${value?.name}_sample`)));
  const captured = new Map<Value, Value>();
  const directions = node.ints("directions");
  const attributes: Record<string, AttributeLike> = {
    body: cloneGraph(body, names, captured),
    num_scan_inputs: scanned,
    ...(directions ? { scan_input_directions: [...directions] } : {}),
  };
  const outputs = node.outputs.map((value, i) => `${value.name || i}_sample`);
  const steps = addNode(outer, "Scan", perSample, attributes, { outputs });
  outer.setOutputs(steps.outputs);
  replaceNode(node, { op: "Scan", inputs: given, attributes: { body: outer, num_scan_inputs: given.length } });
};
