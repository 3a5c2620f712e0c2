/**
 * Folds batch normalization into the linear layer before it, or else into the layers after it:
 *
 *   BN(y) = γ·(y − μ)/√(σ² + ε) + β = s·y + t,   s = γ/√(σ² + ε),   t = β − μ·s       (see layer.ts for the rest)
 *
 * Backward is exact for Conv, ConvTranspose, Gemm and MatMul(+Add), through operators that move channels as a whole
 * and those over places that commute with it (commuting.ts).
 * Forward is exact where no zero padding hides the shift t. A batch norm between two nonlinearities stays.
 */
import type { Node } from "../ir/index.ts";
import { type BatchNorm, batchNormOf, setBatchNormStatistics } from "./batch-norm.ts";
import { type ChannelPath, channelsBefore } from "./channel-path.ts";
import { commutesWithAffine } from "./commuting.ts";
import { bareLayer, type Layer, layerOf, scaleInput, scaleOutput } from "./layer.ts";
import type { Pass } from "./pass.ts";
import { rankOf } from "./rank.ts";
import { isRefused, passOf, type Refused, refuse, rule } from "./rule.ts";
import { constantInts, isOp, onlyReader } from "./walk.ts";

interface Backward {
  readonly bn: BatchNorm | Refused;
  readonly layer: Layer | Refused;
  /** Layer channel → batch norm channel, or the reason why there is no such map. */
  readonly channels: readonly number[] | Refused;
  readonly path: ChannelPath;
}

/** Into the layer before. */
export const foldBatchNormBackward = rule<Backward>({
  name: "fold-batch-norm",
  match: (node) => {
    const bn = batchNormOf(node);
    if (!bn) return undefined;
    const path = channelsBefore(node.input(0)!);
    const layer = layerOf(path.start);
    if (!layer) return undefined;
    const channels = isRefused(layer) || isRefused(bn) ? [] : path.map(layer, bn.scale.length);
    return { bn, layer, channels, path };
  },
  check: ({ bn, layer, channels, path }) => {
    if (isRefused(bn)) return bn;
    if (isRefused(layer)) return layer;
    const shared = path.values.find((value) => onlyReader(value) === undefined);
    if (shared) {
      return refuse(
        shared.isGraphOutput ? `${shared.name} is a graph output` : `${shared.name} has ${shared.useCount} readers`,
      );
    }
    if (path.maximum && bn.scale.some((s) => s <= 0)) {
      return refuse(`${path.maximum} would take minima where the scale is negative`);
    }
    return isRefused(channels) ? channels : true;
  },
  rewrite: (found, graph) => {
    const { bn, layer, channels, path } = found as Backward & {
      bn: BatchNorm;
      layer: Layer;
      channels: readonly number[];
    };
    const spread = (xs: readonly number[]) => channels.map((c) => xs[c]!);
    const result = scaleOutput(layer, { scale: spread(bn.scale), shift: spread(bn.shift) });
    // What pools and pads make of the batch norm's statistics is not known.
    if (path.bijective)
      setBatchNormStatistics(result, { gamma: spread(bn.statistics.gamma), beta: spread(bn.statistics.beta) });
    graph.replaceUses(bn.node.output, bn.node.input(0)!);
    graph.remove(bn.node);
  },
});

interface Forward {
  readonly bn: BatchNorm | Refused;
  readonly readers: readonly (Reader | Refused)[];
}

interface Reader {
  readonly layer: Layer;
  /** Layer input channel → batch norm channel. */
  readonly channels: readonly number[];
  /** Whether some outputs see zeros of a padding in the place of x. */
  readonly padded: boolean;
}

/** Into every layer after; only where all readers are such layers. */
export const foldBatchNormForward = rule<Forward>({
  name: "fold-batch-norm-forward",
  match: (node) => {
    const bn = batchNormOf(node);
    if (!bn || node.output.isGraphOutput || node.output.useCount === 0) return undefined;
    const readers = [...node.output.uses()].map((use) =>
      "node" in use ? readerOf(node, use.node, use.index) : undefined,
    );
    if (!readers.every((reader) => reader !== undefined)) return undefined;
    return { bn, readers: readers as (Reader | Refused)[] };
  },
  check: ({ bn, readers }) => {
    if (isRefused(bn)) return bn;
    for (const reader of readers) {
      if (isRefused(reader)) return reader;
      if (reader.padded && bn.shift.some((t) => t !== 0)) {
        return refuse(`${reader.layer.node} pads with zeros, which the shift would have to reach too`);
      }
      if (reader.channels.some((c) => c >= bn.scale.length)) return refuse(`${reader.layer.node} reads other channels`);
    }
    return true;
  },
  rewrite: (found, graph) => {
    const { bn, readers } = found as { bn: BatchNorm; readers: readonly Reader[] };
    for (const { layer, channels } of readers) {
      scaleInput(layer, { scale: channels.map((c) => bn.scale[c]!), shift: channels.map((c) => bn.shift[c]!) });
    }
    graph.replaceUses(bn.node.output, bn.node.input(0)!);
    graph.remove(bn.node);
  },
});

/** The layer that reads a batch norm, directly or flattened; undefined where the reader is something else. */
function readerOf(bn: Node, reader: Node, index: number): Reader | Refused | undefined {
  if (index !== 0) return undefined;
  if (isOp(reader, "Flatten", "Reshape")) {
    const next = onlyReader(reader.output);
    if (!next || next.input(0) !== reader.output || !isOp(next, "Gemm", "MatMul")) return undefined;
    return flattensPlaces(bn, reader, next) ? rowsOf(bn, next) : refuse(`${reader} does not provably flatten to rows`);
  }
  if (isOp(reader, "Gemm", "MatMul")) {
    if (rankOf(bn.input(0)) !== 2) return refuse(`the rank of ${bn.input(0)!.name} is not known to be 2`);
    return rowsOf(bn, reader);
  }
  if (isOp(reader, "Pad") && commutesWithAffine(reader) === "always") {
    const next = onlyReader(reader.output);
    return next && next.input(0) === reader.output ? readerOf(bn, next, 0) : undefined;
  }
  if (!isOp(reader, "Conv", "ConvTranspose")) return undefined;
  const layer = bareLayer(reader);
  if (!layer || isRefused(layer)) return layer;
  const channels = Array.from({ length: layer.inputs }, (_, c) => c);
  // A transposed convolution sums fewer products at its borders, padded or not.
  const unpadded = isOp(reader, "Conv") && ["NOTSET", "VALID"].includes(reader.string("auto_pad", "NOTSET"));
  return { layer, channels, padded: !unpadded || reader.ints("pads", []).some((p) => p !== 0) };
}

/** Whether [batch, channels, places…] becomes [batch, channels · places]. */
function flattensPlaces(bn: Node, reader: Node, next: Node): boolean {
  if (isOp(reader, "Flatten")) return reader.int("axis", 1) === 1;
  const target = constantInts(reader.input(1));
  if (target?.length !== 2) return false;
  if (target[0] === 0) return true;
  // Any other spelling keeps the batch only if a row is as long as all the places of one sample.
  const type = bn.output.type ?? bn.input(0)?.type;
  const places = type?.kind === "tensor" ? (type.shape?.slice(1) ?? [null]) : [null];
  const row = places.reduce<number>((a, d) => a * (typeof d === "number" ? d : Number.NaN), 1);
  const layer = bareLayer(next);
  return layer !== undefined && !isRefused(layer) && row === layer.inputs;
}

/** A matrix product over rows in which each batch norm channel takes `inputs / channels` neighbouring places. */
function rowsOf(bn: Node, reader: Node): Reader | Refused | undefined {
  if (isOp(reader, "Gemm") && reader.int("transA", 0) !== 0) return refuse(`${reader} transposes its input`);
  const bare = bareLayer(reader);
  if (!bare || isRefused(bare)) return bare;
  const next = onlyReader(reader.output);
  const withAdd = isOp(next, "Add") ? layerOf(next.output) : undefined;
  const layer = withAdd && !isRefused(withAdd) ? withAdd : bare;
  const count = batchNormChannels(bn);
  if (layer.inputs % count !== 0) {
    return refuse(`the ${layer.inputs} inputs of ${reader} are not ${count} channels of equal size`);
  }
  const inner = layer.inputs / count;
  return { layer, channels: Array.from({ length: layer.inputs }, (_, k) => Math.floor(k / inner)), padded: false };
}

function batchNormChannels(bn: Node): number {
  const read = batchNormOf(bn);
  return read && !isRefused(read) ? read.scale.length : 1;
}

/** Backward where possible, else forward. */
export const foldBatchNorms: Pass = passOf("fold-batch-norm", [foldBatchNormBackward, foldBatchNormForward]);
