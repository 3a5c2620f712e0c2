/**
 * Float biases next to integers, as they will run. ONNX Runtime rounds the bias of a convolution with dequantized input and weight
 * to the grid of its accumulator when it opens the file (its pass WeightBiasQuantization); a file that says so to begin with is
 * simulated as it runs. On MobileNetV2 under `aimet-default` 0.1 % of the integers of every layer were others.
 */

import { roundHalfEven } from "../../base/inner.ts";
import { initializerOf, weightOperand } from "../../facts/inner.ts";
import type { Graph, Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { overflowsBias } from "./overflowing-bias.ts";

/** The largest integer of an accumulator. */
const most = 2 ** 31 - 1;

/** Rounds the float biases of all convolutions on integers. A bias that others read as well is copied. Returns how many. */
export function roundFloatBiases(graph: Graph): number {
  let count = 0;
  for (const node of [...graph.nodes]) {
    const bias = node.domain === "" && node.op === "Conv" ? node.input(2) : null;
    const tensor = initializerOf(bias);
    const [input, weight] = [scalesOf(node.input(0)), scalesOf(weightOperand(node))];
    if (!bias || tensor?.dtype !== "float32" || input?.length !== 1 || !weight || overflowsBias(node)) continue;
    const values = tensor.floats();
    if (weight.length !== 1 && weight.length !== values.length) continue;
    const rounded = values.map((value, c) => {
      const step = Math.fround(input[0]! * weight[weight.length === 1 ? 0 : c]!);
      return step * Math.min(Math.max(roundHalfEven(Math.fround(value / step)), -most - 1), most);
    });
    const made = Tensor.float32(tensor.shape, rounded);
    if (bias.useCount === 1) bias.initializer = made;
    else graph.setInput(node, 2, graph.addInitializer(`${bias.name}_rounded`, made));
    count++;
  }
  return count;
}

/** The scales of a value that is dequantized from 8 bits. */
function scalesOf(value: Value | null | undefined): Float32Array | undefined {
  const node = value?.producer;
  if (node?.op !== "DequantizeLinear" || node.int("block_size", 0) > 0) return undefined;
  const type = node.input(2)?.initializer?.dtype;
  return type === "int8" || type === "uint8" ? initializerOf(node.input(1))?.floats() : undefined;
}
