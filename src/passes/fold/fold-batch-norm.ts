/**
 * Folds batch normalization into the linear layer before it, or else into the layers after it:
 *
 *   BN(y) = γ·(y − μ)/√(σ² + ε) + β = s·y + t,   s = γ/√(σ² + ε),   t = β − μ·s       (see layers/scale.ts)
 *
 * Backward is exact for Conv, ConvTranspose, Gemm and MatMul(+Add), through operators that move channels as a whole
 * and those over positions that commute with it (commuting.ts).
 * Forward is exact where no zero padding hides the shift t. A batch norm between two nonlinearities stays.
 */

import { isRefused, type Refused, refuse } from "../../base/inner.ts";
import { onlyReader } from "../../facts/inner.ts";
import { type BatchNorm, batchNormOf, setBatchNormStatistics } from "../batch-norm.ts";
import { type ChannelPath, channelsBefore } from "../channel-path.ts";
import { type ChannelReader, canTake, channelReaders, intoReaders } from "../channel-readers.ts";
import { type EditableLayer, editableLayer } from "../layers/editable.ts";
import { scaleOutput } from "../layers/scale.ts";
import type { Pass } from "../pass.ts";
import { passOf, rule } from "../rule.ts";

interface Backward {
  readonly bn: BatchNorm | Refused;
  readonly layer: EditableLayer | Refused;
  /** EditableLayer channel → batch norm channel, or the reason why there is no such map. */
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
    const layer = editableLayer(path.start);
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
    if (path.padding && bn.shift.some((t) => t !== 0)) {
      return refuse(`${path.padding} adds zeros, which would be shifted too`);
    }
    return isRefused(channels) ? channels : true;
  },
  rewrite: (found, graph) => {
    const { bn, layer, channels, path } = found as Backward & {
      bn: BatchNorm;
      layer: EditableLayer;
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
  readonly readers: readonly (ChannelReader | Refused)[];
}

/** Into every layer after; only where all readers are such layers. */
export const foldBatchNormForward = rule<Forward>({
  name: "fold-batch-norm-forward",
  match: (node) => {
    const bn = batchNormOf(node);
    if (!bn) return undefined;
    const readers = channelReaders({ node, input: node.input(0)!, channels: isRefused(bn) ? 1 : bn.scale.length });
    return readers && { bn, readers };
  },
  check: ({ bn, readers }) => (isRefused(bn) ? bn : canTake(readers, bn)),
  rewrite: (found, graph) => {
    const { bn, readers } = found as { bn: BatchNorm; readers: readonly ChannelReader[] };
    intoReaders({ node: bn.node, input: bn.node.input(0)! }, readers, bn, graph);
  },
});

/** Backward where possible, else forward. */
export const foldBatchNorms: Pass = passOf("fold-batch-norm", [foldBatchNormBackward, foldBatchNormForward]);
