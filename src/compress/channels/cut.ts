/** Takes channels out of a graph: out of the layers that make them, of all that passes them on, and of the layers that read them. */
import { AvocetError, invariant, isRefused } from "../../base/inner.ts";
import { floatConstant } from "../../facts/inner.ts";
import { attributeOf, type Graph, type Node } from "../../ir/inner.ts";
import { biasesOf, cutInputs, cutOutputs, replaceConstant, wholeLayer } from "../../passes/inner.ts";
import { elementsOf, floatTensor, Tensor } from "../../tensor/inner.ts";
import type { ChannelSpace } from "./spaces.ts";
import type { ChannelLayer, Follower, TracedChannels } from "./trace.ts";

/**
 * Cuts the channels of these classes. Exact where every weight that reads them is zero. Types of values are forgotten: lengths have
 * changed. Throws `compress/unreachable` where a layer would have no channel left.
 */
export function cutChannels(
  graph: Graph,
  { space, layers, followers }: TracedChannels,
  gone: ReadonlySet<number>,
): void {
  for (const one of layers) cutLayer(one, space, gone);
  for (const follower of followers) cutFollower(graph, follower, space, gone);
  for (const node of graph.nodes) for (const output of node.outputs) if (!output.isGraphOutput) output.type = undefined;
}

/** The indices that stay. */
export function keptOf(atoms: Int32Array, space: ChannelSpace, gone: ReadonlySet<number>): number[] {
  return [...atoms.keys()].filter((i) => !gone.has(space.find(atoms[i]!)));
}

function cutLayer({ node, inputs, outputs }: ChannelLayer, space: ChannelSpace, gone: ReadonlySet<number>): void {
  const out = keptOf(outputs, space, gone);
  if (out.length === 0) {
    throw new AvocetError("compress/unreachable", "expected a channel that stays, got none", { at: `${node}` });
  }
  const layer = wholeLayer(node);
  invariant(layer && !isRefused(layer), `${node} is a layer that can be edited`);
  if (layer.axes.groups > 1) {
    cutGroups(node, out);
    return;
  }
  if (out.length < outputs.length) expectDone(cutOutputs(layer, out));
  if (!inputs) return;
  const own = keptOf(inputs, space, gone);
  const again = wholeLayer(node);
  invariant(again && !isRefused(again), `${node} is a layer that can be edited`);
  if (own.length < inputs.length) expectDone(cutInputs(again, own));
}

function expectDone(result: unknown): void {
  invariant(!isRefused(result as object), "a layer without groups is cut");
}

/** Whole groups go: their rows of the weight, their biases, and their number. */
function cutGroups(node: Node, out: readonly number[]): void {
  const layer = wholeLayer(node);
  invariant(layer && !isRefused(layer), `${node} is a layer that can be edited`);
  const { groups, outputs } = layer.axes;
  if (out.length === outputs) return;
  const perOut = outputs / groups;
  const kept = [...new Set(out.map((o) => Math.floor(o / perOut)))];
  const { tensor, index } = layer.weight;
  const rows = tensor.shape[0]! / groups;
  const bias = biasesOf(layer);
  const first = kept.flatMap((g) => Array.from({ length: rows }, (_, i) => g * rows + i));
  replaceConstant(node.graph!, node, index, chosen(tensor, 0, first), `${node.name}.weight`);
  if (node.input(2))
    replaceConstant(
      node.graph!,
      node,
      2,
      floatTensor(tensor.dtype, [out.length], (i) => bias[out[i]!]!),
      `${node.name}.bias`,
    );
  node.attributes.set("group", attributeOf(kept.length));
}

function cutFollower(graph: Graph, follower: Follower, space: ChannelSpace, gone: ReadonlySet<number>): void {
  const { node } = follower;
  if (follower.kind === "constant") {
    const { index, axis, atoms } = follower;
    const kept = keptOf(atoms, space, gone);
    const tensor = floatConstant(node.input(index));
    if (kept.length === atoms.length || !tensor) return;
    replaceConstant(graph, node, index, chosen(tensor, axis, kept), `${node.output.name}.constant`);
  } else if (follower.kind === "split") {
    const lengths = follower.parts.map((part) => keptOf(part, space, gone).length);
    node.attributes.delete("num_outputs");
    const made = graph.addInitializer(
      `${node.name || node.outputs[0]!.name}.split`,
      Tensor.int64([lengths.length], lengths),
    );
    graph.setInput(node, 1, made);
  } else {
    const shape = node.input(1)!.initializer!.numbers().slice();
    shape[follower.axis] = keptOf(follower.atoms, space, gone).length;
    replaceConstant(graph, node, 1, Tensor.int64([shape.length], shape), `${node.output.name}.shape`);
  }
}

function chosen(tensor: Tensor, axis: number, slices: readonly number[]): Tensor {
  const old = elementsOf(tensor);
  const stride = tensor.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  return floatTensor(tensor.dtype, tensor.shape.with(axis, slices.length), (i) => {
    const outer = Math.floor(i / (stride * slices.length));
    const from = slices[Math.floor(i / stride) % slices.length]!;
    return old[(outer * tensor.shape[axis]! + from) * stride + (i % stride)]!;
  });
}
