/** The way back from a batch norm to a layer, over operators that move channels as a whole, or do the same to each. */

import { type Refused, refuse } from "../base/inner.ts";
import { axesOf, commutesWithAffine, constantNumbers, isOp, rankOf } from "../facts/inner.ts";
import type { Node, Value } from "../ir/inner.ts";
import type { EditableLayer } from "./layers/editable.ts";

export interface ChannelPath {
  /** The value where the path begins: what a layer computes, if there is one. */
  readonly start: Value;
  /** Every value on the way, the start included: each must have one reader only. */
  readonly values: readonly Value[];
  /** A maximum on the way: it lets only positive factors pass. */
  readonly maximum: Node | undefined;
  /** What adds zeros on the way: it lets only factors pass, no shift. */
  readonly padding: Node | undefined;
  /** Whether every element at the end is an element of the start, and the other way round. */
  readonly bijective: boolean;
  /** EditableLayer channel → index along axis 1 at the end of the path, or why there is no such map. */
  map(layer: EditableLayer, channels: number): readonly number[] | Refused;
}

/** Walks back from the input of a batch norm. */
export function channelsBefore(end: Value): ChannelPath {
  const values = [end];
  let start = end;
  let maximum: Node | undefined;
  let padding: Node | undefined;
  let bijective = true;
  while (start.producer && values.length < 8) {
    const node = start.producer;
    const commutes = commutesWithAffine(node);
    const before = node.input(0);
    if (!before || (!commutes && !isOp(node, ...moves))) break;
    if (commutes === "positive") maximum = node;
    if (commutes === "unshifted") padding = node;
    if (commutes) bijective = false;
    start = before;
    values.push(start);
  }
  const map = (layer: EditableLayer, channels: number) => mapChannels(layer, values.toReversed(), channels);
  return { start, values, maximum, padding, bijective, map };
}

const moves = ["Transpose", "Squeeze", "Unsqueeze", "Flatten", "Reshape"];

/** Follows the channel axis of the layer forward; `values` begin with its result. */
function mapChannels(layer: EditableLayer, values: readonly Value[], channels: number): readonly number[] | Refused {
  const rank = isOp(layer.node, "Conv", "ConvTranspose") ? layer.weight.tensor.shape.length : rankOf(values[0]!);
  let at = { axis: isOp(layer.node, "MatMul") ? (rank ?? 0) - 1 : 1, rank, each: 1 };
  for (const value of values.slice(1)) {
    const next = step(value, at, layer.axes.outputs);
    if ("refused" in next) return next;
    at = next;
  }
  if (at.axis < 0) return refuse(`the rank of ${values[0]!.name} is unknown`);
  if (at.axis !== 1) return refuse(`its channels are on axis ${at.axis} of ${values.at(-1)!.name}, not on axis 1`);
  if (channels * at.each !== layer.axes.outputs) {
    return refuse(`${layer.node} has ${layer.axes.outputs} channels for the ${channels} of the batch norm`);
  }
  return Array.from({ length: layer.axes.outputs }, (_, k) => Math.floor(k / at.each));
}

interface At {
  /** Axis of the channels; −1 while unknown. */
  readonly axis: number;
  readonly rank: number | undefined;
  /** Neighbouring layer channels that share one index of the axis. */
  readonly each: number;
}

function step(value: Value, at: At, outputs: number): At | Refused {
  const node = value.producer!;
  const lost = () => refuse(`${node} mixes channels with other axes, or its shape is not known`);
  if (at.axis < 0) return lost();
  if (commutesWithAffine(node)) return at.axis === 1 ? at : lost();
  if (isOp(node, "Transpose")) {
    const perm = node.ints("perm");
    return perm?.includes(at.axis) ? { ...at, axis: perm.indexOf(at.axis) } : lost();
  }
  if (isOp(node, "Squeeze", "Unsqueeze")) {
    const given = node.ints("axes") ?? constantNumbers(node.input(1));
    if (!given || at.rank === undefined) return lost();
    const rank = isOp(node, "Squeeze") ? at.rank - given.length : at.rank + given.length;
    const found = axesOf(given, Math.max(rank, at.rank));
    if (!found) return lost();
    const axes = [...found].sort((a, b) => a - b);
    if (isOp(node, "Squeeze")) return { ...at, rank, axis: at.axis - axes.filter((a) => a < at.axis).length };
    let { axis } = at;
    for (const a of axes) if (a <= axis) axis++;
    return { ...at, rank, axis };
  }
  // Flatten and Reshape: the batch stays, and rows of channels become channels with positions behind them, or back.
  const target = isOp(node, "Flatten")
    ? node.int("axis", 1) === 1
      ? [0, -1]
      : undefined
    : constantNumbers(node.input(1));
  if (!target || at.axis !== 1 || at.each !== 1 || target.length < 2) return lost();
  if (at.rank !== 2) {
    const type = node.input(0)?.type;
    const places = type?.kind === "tensor" ? type.shape?.slice(2) : undefined;
    const bare = places?.every((d) => d === 1) && target.length === 2 && (target[1] === -1 || target[1] === outputs);
    return bare ? { axis: 1, rank: 2, each: 1 } : lost();
  }
  const open = target.indexOf(-1);
  if (target[0]! > 0 && open > 0 && batchOf(node.input(0)) !== target[0]) return lost();
  const rest = target.slice(1);
  const known = rest.filter((d) => d > 0).reduce((a, b) => a * b, 1);
  if (open === 0 ? known !== outputs : rest.filter((d) => d <= 0).length > 1 || outputs % known !== 0) return lost();
  const count = rest[0]! > 0 ? rest[0]! : outputs / known;
  return { axis: 1, rank: target.length, each: outputs / count };
}

function batchOf(value: Value | null): unknown {
  return value?.type?.kind === "tensor" ? value.type.shape?.[0] : undefined;
}
