/** Whether the weights and windows of a node go together, as far as it follows from constants: groups, kernels, lengths of lists. */
import type { Node, Value } from "../ir/inner.ts";
import type { OpRow } from "./row.ts";

/** Faults of convolutions, pools, matrix products and normalizations. */
export function* windowFaults(node: Node, row: OpRow): Iterable<string> {
  if (node.domain !== "") return;
  const weight = row.linear ? shapeOf(node.input(row.linear.weight)) : undefined;
  if (weight && node.op.startsWith("Conv")) {
    if (weight.length < 3) yield `expected a weight of rank 3 or more, got ${weight.length}`;
    else yield* groupFaults(node, weight);
  }
  if (weight && node.op === "Gemm" && weight.length !== 2) yield `expected a weight of rank 2, got ${weight.length}`;
  if (row.attributes.kernel_shape) yield* listFaults(node, weight);
  if (node.op === "BatchNormalization" && node.int("spatial", 1) !== 0) yield* parameterFaults(node);
}

function* groupFaults(node: Node, weight: readonly number[]): Iterable<string> {
  const groups = node.int("group", 1);
  // The first axis is that of the output channels, or of the input channels where the convolution is transposed.
  if (weight[0]! % groups !== 0)
    yield `expected group to divide the ${weight[0]} channels of the weight, got ${groups}`;
  const bias = shapeOf(node.input(node.op === "DeformConv" ? 3 : 2));
  const outputs = node.op === "ConvTranspose" ? weight[1]! * groups : weight[0]!;
  if (bias && (bias.length !== 1 || bias[0] !== outputs))
    yield `expected a bias of shape [${outputs}], got [${bias.join(", ")}]`;
}

/** Kernel, strides, dilations and pads count the same axes. */
function* listFaults(node: Node, weight: readonly number[] | undefined): Iterable<string> {
  const kernel = node.ints("kernel_shape");
  const ofWeight = weight && weight.length >= 3 ? weight.slice(2) : undefined;
  if (kernel && ofWeight && `${kernel}` !== `${ofWeight}`)
    yield `expected kernel_shape to be [${ofWeight.join(", ")}] as the weight says, got [${kernel.join(", ")}]`;
  const axes = (ofWeight ?? kernel)?.length;
  if (axes === undefined) return;
  for (const [name, perAxis] of [
    ["strides", 1],
    ["dilations", 1],
    ["output_padding", 1],
    ["pads", 2],
  ] as const) {
    const given = node.ints(name);
    // An empty list is what some exporters write for "not told".
    if (given && given.length > 0 && given.length !== perAxis * axes)
      yield `expected ${perAxis * axes} numbers in ${name} for ${axes} axes, got ${given.length}`;
  }
}

/** Scale, bias, mean and variance: one number per channel each. */
function* parameterFaults(node: Node): Iterable<string> {
  const shapes = [1, 2, 3, 4].map((index) => shapeOf(node.input(index)));
  const first = shapes.find((shape) => shape !== undefined);
  for (const shape of shapes) {
    if (!shape || (shape.length === 1 && shape[0] === first![0])) continue;
    yield `expected one number per channel in each parameter, got [${shape.join(", ")}]`;
    return;
  }
}

const shapeOf = (value: Value | null): readonly number[] | undefined =>
  value?.isGraphInput ? undefined : value?.initializer?.shape;
