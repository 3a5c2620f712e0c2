/**
 * The layers that read what an affine map per channel computes, y = s·x + t with the channels on axis 1: where all readers are
 * such layers, the map goes into their weights, W∗(s·x + t) + b = (W·s)∗x + (b + Σ W·t) (see layers/scale.ts).
 */

import { isRefused, type Refused, refuse } from "../base/inner.ts";
import { commutesWithAffine, constantNumbers, isOp, onlyReader, rankOf } from "../facts/inner.ts";
import type { Graph, Node, Value } from "../ir/inner.ts";
import type { ChannelAffine } from "./batch-norm.ts";
import { type EditableLayer, editableProduct, wholeLayer } from "./layers/editable.ts";
import { scaleInput } from "./layers/scale.ts";

/** The map: its node, the input that it maps, and the number of channels. */
export interface AffineNode {
  readonly node: Node;
  readonly input: Value;
  readonly channels: number;
}

export interface ChannelReader {
  readonly layer: EditableLayer;
  /** EditableLayer input channel → channel of the map. */
  readonly channels: readonly number[];
  /** Whether some outputs see zeros of a padding in the place of x. */
  readonly padded: boolean;
}

/** All readers, with a reason for each that cannot take the map in; undefined where one of them is no layer at all. */
export function channelReaders(affine: AffineNode): (ChannelReader | Refused)[] | undefined {
  const { output } = affine.node;
  if (output.isGraphOutput || output.useCount === 0) return undefined;
  const readers = [...output.uses()].map((use) => ("node" in use ? readerOf(affine, use.node, use.index) : undefined));
  return readers.every((reader) => reader !== undefined) ? (readers as (ChannelReader | Refused)[]) : undefined;
}

/** Whether all of them can take this map in. */
export function canTake(
  readers: readonly (ChannelReader | Refused)[],
  { scale, shift }: ChannelAffine,
): true | Refused {
  for (const reader of readers) {
    if (isRefused(reader)) return reader;
    if (reader.padded && shift.some((t) => t !== 0)) {
      return refuse(`${reader.layer.node} pads with zeros, which the shift would have to reach too`);
    }
    if (reader.channels.some((c) => c >= scale.length)) return refuse(`${reader.layer.node} reads other channels`);
  }
  return true;
}

/** Puts the map into its readers and takes its node out of the graph. */
export function intoReaders(
  { node, input }: Pick<AffineNode, "node" | "input">,
  readers: readonly ChannelReader[],
  { scale, shift }: ChannelAffine,
  graph: Graph,
): void {
  for (const { layer, channels } of readers) {
    scaleInput(layer, { scale: channels.map((c) => scale[c]!), shift: channels.map((c) => shift[c]!) });
  }
  graph.replaceUses(node.output, input);
  graph.remove(node);
}

/** The layer that reads the map, directly, flattened or padded; undefined where the reader is something else. */
function readerOf(affine: AffineNode, reader: Node, index: number): ChannelReader | Refused | undefined {
  if (index !== 0) return undefined;
  if (isOp(reader, "Flatten", "Reshape")) {
    const next = onlyReader(reader.output);
    if (!next || next.input(0) !== reader.output || !isOp(next, "Gemm", "MatMul")) return undefined;
    return flattensPlaces(affine, reader, next)
      ? rowsOf(affine, next)
      : refuse(`${reader} does not provably flatten to rows`);
  }
  if (isOp(reader, "Gemm", "MatMul")) {
    if (rankOf(affine.input) !== 2) return refuse(`the rank of ${affine.input.name} is not known to be 2`);
    return rowsOf(affine, reader);
  }
  if (isOp(reader, "Pad")) {
    const commutes = commutesWithAffine(reader);
    const next = onlyReader(reader.output);
    if (!commutes || !next || next.input(0) !== reader.output) return undefined;
    const found = readerOf(affine, next, 0);
    return found && !isRefused(found) && commutes === "unshifted" ? { ...found, padded: true } : found;
  }
  if (!isOp(reader, "Conv", "ConvTranspose")) return undefined;
  const layer = editableProduct(reader);
  if (!layer || isRefused(layer)) return layer;
  const channels = Array.from({ length: layer.axes.inputs }, (_, c) => c);
  return { layer, channels, padded: !seesAllWeights(reader, layer) };
}

/** Whether every output sums all products of its kernel: at padded borders, and between strides of a transposed one, it does not. */
function seesAllWeights(node: Node, layer: EditableLayer): boolean {
  if (!["NOTSET", "VALID"].includes(node.string("auto_pad", "NOTSET"))) return false;
  const isZero = (name: string) => node.ints(name, []).every((p) => p === 0);
  if (isOp(node, "Conv")) return isZero("pads");
  const isPoint = layer.weight.tensor.shape.slice(2).every((d) => d === 1);
  return isPoint && isZero("pads") && isZero("output_padding") && node.ints("strides", []).every((s) => s === 1);
}

/** Whether [batch, channels, positions…] becomes [batch, channels · positions]. */
function flattensPlaces({ node, input }: AffineNode, reader: Node, next: Node): boolean {
  if (isOp(reader, "Flatten")) return reader.int("axis", 1) === 1;
  const target = constantNumbers(reader.input(1));
  if (target?.length !== 2) return false;
  if (target[0] === 0) return true;
  // Any other spelling keeps the batch only if a row is as long as all the positions of one sample.
  const type = node.output.type ?? input.type;
  const places = type?.kind === "tensor" ? (type.shape?.slice(1) ?? [null]) : [null];
  const row = places.reduce<number>((a, d) => a * (typeof d === "number" ? d : Number.NaN), 1);
  const layer = editableProduct(next);
  return layer !== undefined && !isRefused(layer) && row === layer.axes.inputs;
}

/** A matrix product over rows in which each channel takes `inputs / channels` neighbouring positions. */
function rowsOf({ channels }: AffineNode, reader: Node): ChannelReader | Refused | undefined {
  if (isOp(reader, "Gemm") && reader.int("transA", 0) !== 0) return refuse(`${reader} transposes its input`);
  const layer = wholeLayer(reader);
  if (!layer || isRefused(layer)) return layer;
  if (layer.axes.inputs % channels !== 0) {
    return refuse(`the ${layer.axes.inputs} inputs of ${reader} are not ${channels} channels of equal size`);
  }
  const inner = layer.axes.inputs / channels;
  return { layer, channels: Array.from({ length: layer.axes.inputs }, (_, k) => Math.floor(k / inner)), padded: false };
}
