/**
 * The two products of an RNN, GRU or LSTM as layers: W times what the operator reads, and R times the state before each step. Both are
 * products of rows with matrices, at every step; W is one for both directions, as both read the same, and R one for each.
 */
import { refuse } from "../../base/inner.ts";
import type { Node } from "../../ir/inner.ts";
import { initializerOf } from "../constants.ts";
import { isRecurrent, recurrentInputs } from "../recurrent.ts";
import type { MatrixLayer } from "./layer.ts";

/** W and R [directions, gates · hidden, columns] of the node, where they are constants of float32; else nothing. */
export function recurrentLayers(node: Node): MatrixLayer[] {
  if (!isRecurrent(node)) return [];
  return [recurrentInputs.w, recurrentInputs.r].flatMap((index) => {
    const tensor = initializerOf(node.input(index));
    if (tensor?.dtype !== "float32" || tensor.shape.length !== 3) return [];
    const [directions, rows, columns] = tensor.shape as [number, number, number];
    const groups = index === recurrentInputs.r ? directions : 1;
    const size = directions * rows * columns;
    const order = new Int32Array(size);
    for (let i = 0; i < size; i++) order[i] = i;
    const outputs = directions * rows;
    return [
      {
        node,
        uses: [node],
        weight: {
          index,
          get value() {
            return node.input(index)!;
          },
          get tensor() {
            return initializerOf(node.input(index))!;
          },
        },
        bias: refuse("a recurrent operator has two biases of all directions in one input"),
        result: node.output,
        axes: { out: 1, in: [2], groups, outputs, inputs: columns * groups },
        matrix: { groups, outputs: outputs / groups, columns, order },
      },
    ];
  });
}
