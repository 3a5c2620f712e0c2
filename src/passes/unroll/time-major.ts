/** Recurrent layers whose samples come first (layout 1), for which ONNX Runtime has no kernel: the same layer between transposes. */
import { isRecurrent, recurrentInputs } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { takeOver } from "../replace-node.ts";
import { passOf, rule } from "../rule.ts";
import { Writer } from "./step.ts";

const { x, h, c } = recurrentInputs;

/** Puts the steps first in what the layer reads and returns. */
export const stepsFirst = passOf("steps-first", [
  rule<Node>({
    name: "steps-first",
    match: (node) => (isRecurrent(node) && node.int("layout", 0) === 1 ? node : undefined),
    check: () => true,
    rewrite: turn,
  }),
]);

function turn(node: Node): void {
  const graph = node.graph!;
  const w = new Writer(node);
  const turned = (value: Value, hint: string) => w.op("Transpose", [value], hint, { perm: [1, 0, 2] });
  const inputs = node.inputs.map((value, i) =>
    value && (i === x || i === h || i === c) ? turned(value, `input_${i}_steps_first`) : value,
  );
  const attributes = Object.fromEntries([...node.attributes].filter(([name]) => name !== "layout"));
  const hints = node.outputs.map((_, i) => `output_${i}_steps_first`);
  const made = w.many(node.op, inputs, hints, attributes);
  made[0]!.producer!.name = node.name;
  node.outputs.forEach((output, i) => {
    if (output.name === "" || (output.useCount === 0 && !output.isGraphOutput)) return;
    // [steps, directions, samples, hidden] to [samples, steps, directions, hidden]; states exchange their first two axes.
    const perm = i === 0 ? [2, 0, 1, 3] : [1, 0, 2];
    takeOver(output, w.op("Transpose", [made[i]!], `output_${i}_samples_first`, { perm }));
  });
  graph.remove(node);
}
