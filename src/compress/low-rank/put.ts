/** Puts two layers of low rank in the place of one. The node stays, as the second of them: its name, its bias and its result are as before. */
import { invariant } from "../../base/inner.ts";
import { isOp, type MatrixLayer } from "../../facts/inner.ts";
import { addNode, attributeOf, type Node } from "../../ir/inner.ts";
import { replaceConstant } from "../../passes/inner.ts";
import { floatTensor, type Tensor } from "../../tensor/inner.ts";
import type { Factors } from "./factors.ts";
import type { LowRankForm } from "./form.ts";

/** Returns the new node, the first of the two. */
export function putFactors({ node, weight }: MatrixLayer, form: LowRankForm, rank: number, factors: Factors): Node {
  const graph = node.graph!;
  const { name } = weight.value;
  const firstWeight = (tensor: Tensor) => graph.addInitializer(`${name}_first`, tensor);
  const options = {
    name: `${node.name || node.output.name}_first`,
    output: `${node.output.name}_first`,
    place: { before: node },
  };
  const made = isOp(node, "Conv")
    ? splitConv(node, form, rank, (shape) => firstWeight(float32(shape, factors.first)), options)
    : addNode(
        graph,
        "MatMul",
        [node.input(0), firstWeight(float32([form.inputs, rank], turned(factors.first, rank)))],
        {},
        options,
      );
  graph.setInput(node, 0, made.output);
  replaceConstant(graph, node, weight.index, secondWeight(node, form, rank, factors.second), `${name}_second`);
  return made;
}

function secondWeight(node: Node, form: LowRankForm, rank: number, second: Float64Array): Tensor {
  const { outputs, kernel, isFirst } = form;
  if (isOp(node, "Conv"))
    return float32([outputs, rank, ...kernel.map((length, axis) => (isFirst[axis] ? 1 : length))], second);
  const rowsFirst = isOp(node, "Gemm") && node.int("transB", 0) === 1;
  return rowsFirst ? float32([outputs, rank], second) : float32([rank, outputs], turned(second, outputs));
}

/** [rows, n] as [n, rows]. */
function turned(matrix: Float64Array, rows: number): Float64Array {
  const width = matrix.length / rows;
  return matrix.map((_, i) => matrix[(i % rows) * width + Math.floor(i / rows)]!);
}

/** Each axis of the kernel goes to one of the two, with its stride, padding and dilation; the other has length 1 there. */
function splitConv(
  node: Node,
  { inputs, kernel, isFirst }: LowRankForm,
  rank: number,
  weightOf: (shape: readonly number[]) => ReturnType<Node["input"]>,
  options: { readonly name: string; readonly output: string; readonly place: { readonly before: Node } },
): Node {
  const axes = kernel.length;
  const given = {
    strides: node.ints("strides", new Array<number>(axes).fill(1)),
    dilations: node.ints("dilations", new Array<number>(axes).fill(1)),
    pads: node.ints("pads", new Array<number>(2 * axes).fill(0)),
  };
  const auto = node.string("auto_pad", "NOTSET");
  const part = (first: boolean) => {
    const own = (values: readonly number[], otherwise: number) =>
      values.map((value, i) => (isFirst[i % axes] === first ? value : otherwise));
    return {
      kernel_shape: own(kernel, 1),
      strides: own(given.strides, 1),
      dilations: own(given.dilations, 1),
      // Along an axis of length 1 and stride 1 every rule pads nothing.
      ...(auto === "NOTSET" ? { pads: own(given.pads, 0) } : { auto_pad: auto }),
    };
  };
  const first = part(true);
  const made = addNode(
    node.graph!,
    "Conv",
    [node.input(0), weightOf([rank, inputs, ...first.kernel_shape])],
    first,
    options,
  );
  for (const [key, value] of Object.entries(part(false))) node.attributes.set(key, attributeOf(value));
  invariant(!node.attributes.has("group") || node.int("group") === 1, "a convolution that is split has one group");
  return made;
}

const float32 = (shape: readonly number[], data: Float64Array): Tensor =>
  floatTensor("float32", shape, (i) => data[i]!);
