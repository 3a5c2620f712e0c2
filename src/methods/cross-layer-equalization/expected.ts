/** What equalization wants to know of the activations, from the statistics of batch norms instead of data. */
import { isOp } from "../../facts/inner.ts";
import type { Graph, TensorType } from "../../ir/inner.ts";
import { type Expectation, pooled, spread } from "../expectations/expectation.ts";
import { expectations } from "../expectations/propagate.ts";
import type { ChannelPower, Observed } from "./observe.ts";
import type { Trace } from "./trace-groups.ts";

/**
 * Power and peak of every channel that a layer reads; undefined where a layer reads something that nothing is known of.
 * Which channels stay under a Clip's bound only data can tell: all of them count as reaching it.
 */
export function expectedChannels(
  graph: Graph,
  { layers }: Trace,
  shapes: ReadonlyMap<string, TensorType>,
  inputs: ReadonlyMap<string, Expectation>,
): Observed | undefined {
  const { of } = expectations(graph, { shapes, inputs });
  const channels = new Map<string, ChannelPower>();
  const power = new Map<string, number>();
  for (const { layer } of layers) {
    const { node } = layer;
    const [x, y] = [of.get(node.input(0)!), of.get(node.output)];
    const rank = shapes.get(node.input(0)!.name)?.shape?.length;
    if (!x || !y || rank === undefined) return undefined;
    const axis = isOp(node, "MatMul") ? rank - 1 : 1;
    const each =
      x.axis === axis && x.mean.length === layer.axes.inputs ? x : spread(pooled(x), layer.axes.inputs, axis);
    channels.set(node.input(0)!.name, {
      meanSquare: each.mean.map((mean, c) => mean * mean + each.variance[c]!),
      peak: each.high.map((high, c) => Math.max(0, high, -each.low[c]!)),
      max: each.mean.map(() => Number.POSITIVE_INFINITY),
    });
    const total = y.mean.reduce((sum, mean, c) => sum + mean * mean + y.variance[c]!, 0);
    power.set(
      node.output.name,
      y.mean.length === layer.axes.outputs ? total : (total / y.mean.length) * layer.axes.outputs,
    );
  }
  return { channels, power };
}
