/**
 * How much an error in a value weighs at the next linear layers: the energy of the weights that read each channel, through
 * batch norms, additions and activations on the way. A channel that the next batch norm multiplies by ten deserves a grid
 * ten times as fine as one that it leaves alone, and numbers below a PReLU count by its slope.
 */
import { isRefused } from "../../base/inner.ts";
import {
  bodies,
  clipBounds,
  combining,
  containers,
  contrib,
  each,
  initializerOf,
  isStored,
  mapping,
  productAt,
  random,
  reducing,
  rowIn,
  type Table,
  texts,
} from "../../facts/inner.ts";
import type { Node, TensorType, Value } from "../../ir/inner.ts";

/** Squared gains per channel (axis 1), for errors of numbers above and below zero. */
export interface Gains {
  readonly above: Float64Array;
  readonly below: Float64Array;
}

/** The length of axis 1 of a value, where it has one. */
export type ChannelsOf = (value: Value) => number | undefined;

/** Gains of the values of a graph with these types; channels are on axis 1 in the layouts of ONNX. */
export function outputGains(types: ReadonlyMap<string, TensorType>): OutputGains {
  return new OutputGains((value) => {
    const length = types.get(value.name)?.shape?.[1];
    return typeof length === "number" ? length : undefined;
  });
}

/** Gains of the values of one graph; each is computed once. */
export class OutputGains {
  readonly #channelsOf: ChannelsOf;
  readonly #known = new Map<Value, Gains | null>();

  constructor(channelsOf: ChannelsOf) {
    this.#channelsOf = channelsOf;
  }

  /** The gains of a value's channels, summed over the readers that are understood; null where none is. */
  of(value: Value): Gains | null {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const found = this.#sum(value);
    this.#known.set(value, found);
    return found;
  }

  #sum(value: Value): Gains | null {
    const channels = this.#channelsOf(value);
    if (channels === undefined) return null;
    const above = new Float64Array(channels);
    const below = new Float64Array(channels);
    let strangers = value.isGraphOutput;
    for (const node of value.consumers()) {
      const found = this.#through(node, value, channels);
      // Broadcasting or another layout: the reader's channels are not the value's.
      if (found?.above.length !== channels) {
        strangers = true;
        continue;
      }
      for (let c = 0; c < channels; c++) {
        above[c]! += found.above[c]!;
        below[c]! += found.below[c]!;
      }
    }
    // A reader that is not understood may look at the side of zero that the others do not see.
    if (strangers) for (let c = 0; c < channels; c++) above[c] = below[c] = Math.max(above[c]!, below[c]!);
    // Channels that nobody reads would be the whole of a mean that is taken over nothing.
    return above.some((gain) => gain > 0) || below.some((gain) => gain > 0) ? { above, below } : null;
  }

  #through(node: Node, value: Value, channels: number): Gains | null {
    const next = () => this.of(node.output);
    return rowIn(passing, node)?.({ node, value, channels, next, channelsOf: this.#channelsOf }) ?? null;
  }
}

/** A reader of a value with so many channels, and the gains of what the reader returns. */
interface Reader {
  readonly node: Node;
  readonly value: Value;
  readonly channels: number;
  readonly next: () => Gains | null;
  readonly channelsOf: ChannelsOf;
}

/** How much an error of the value weighs behind the reader; null where that does not follow. */
type Passing = (reader: Reader) => Gains | null;

/** For errors of the first input alone. */
const ofFirst =
  (rule: Passing): Passing =>
  (reader) =>
    reader.node.input(0) === reader.value ? rule(reader) : null;

const weighed = ofFirst(({ node, channels }) => weightEnergy(node, channels));
const same = ofFirst(({ next }) => next());

const passing: Table<Passing> = {
  ...each(mapping, { unknown: "its slope changes from number to number" }),
  ...each(combining, { unknown: "its slope depends on the other inputs" }),
  ...each(reducing, { unknown: "it mixes channels, or their positions" }),
  ...each(random, { unknown: "it has no slope" }),
  ...each(containers, { unknown: "who reads the parts is not looked for" }),
  ...each(bodies, { unknown: "its body is not looked into" }),
  ...each(texts, { unknown: "it reads no float numbers" }),
  ...each(
    [
      "AffineGrid ArgMax ArgMin Attention BlackmanWindow CastLike CenterCropPad Col2Im Compress Constant",
      "ConstantOfShape ConvInteger CumProd CumSum DFT DeformConv DepthToSpace DequantizeLinear Det",
      "DynamicQuantizeLinear Einsum Expand EyeLike GRU Gather GatherElements GatherND GlobalLpPool GlobalMaxPool",
      "GridSample GroupNormalization HammingWindow HannWindow Hardmax ImageDecoder InstanceNormalization LRN LSTM",
      "LayerNormalization LogSoftmax LpNormalization LpPool MatMul MatMulInteger MaxRoiPool MaxUnpool",
      "MeanVarianceNormalization MelWeightMatrix NegativeLogLikelihoodLoss NonMaxSuppression NonZero OneHot QLinearConv",
      "QLinearMatMul QuantizeLinear RMSNormalization RNN Range ReverseSequence RoiAlign RotaryEmbedding STFT Scatter",
      "ScatterElements ScatterND Shape SimplifiedLayerNormalization Size Slice Softmax SoftmaxCrossEntropyLoss",
      "SpaceToDepth Split TensorScatter Tile TopK Transpose Trilu Unique Unsqueeze",
    ],
    { unknown: "how an error of its input passes on was not worked out" },
  ),
  ...each(["AveragePool Dropout Flatten GlobalAveragePool Identity MaxPool Pad Reshape Resize Squeeze Upsample"], same),
  ...each(["Conv ConvTranspose Gemm"], weighed),
  ...each(["Add Sub"], ({ next }) => eitherSign(next())),
  BatchNormalization: ofFirst(({ node, next }) => batchNormGains(node, next())),
  Clip: ofFirst(({ node, next }) => clipGains(node, next())),
  Concat: ({ node, value, channels, channelsOf, next }) =>
    node.int("axis", 0) === 1 ? sliceGains(node, value, channels, channelsOf, next()) : null,
  LeakyRelu: ({ node, channels, next }) => slopeGains([node.float("alpha", 0.01)], channels, next()),
  PRelu: ofFirst(({ node, channels, next }) => slopeGains(initializerOf(node.input(1))?.numbers(), channels, next())),
  Relu: ({ channels, next }) => slopeGains([0], channels, next()),
  ...each(contrib, { unknown: "it is written after the ranges are decided" }),
};

function uniform(gains: Float64Array): Gains {
  return { above: gains, below: gains };
}

/** Σ w² over everything that reads a channel. */
function weightEnergy(node: Node, channels: number): Gains | null {
  const layer = productAt(node);
  if (!layer || isRefused(layer) || isRefused(layer.axes) || !isStored(layer)) return null;
  const { tensor } = layer.weight;
  const { axes } = layer;
  const w = tensor.floats();
  const energy = new Float64Array(channels);
  const [rows, columns] = tensor.shape as [number, number];
  const inner = w.length / (rows * columns);
  for (let r = 0, i = 0; r < rows; r++) {
    const group = Math.floor((r * axes.groups) / rows);
    for (let c = 0; c < columns; c++) {
      const channel = axes.in[0] === 0 ? r : group * columns + c;
      for (let k = 0; k < inner; k++, i++) energy[channel]! += w[i]! * w[i]!;
    }
  }
  return uniform(energy);
}

function batchNormGains(node: Node, out: Gains | null): Gains | null {
  const gamma = initializerOf(node.input(1))?.numbers();
  const variance = initializerOf(node.input(4))?.numbers();
  if (!out || !gamma || !variance) return null;
  const both = eitherSign(out)!;
  const epsilon = node.float("epsilon", 1e-5);
  return uniform(both.above.map((gain, c) => (gain * gamma[c]! ** 2) / (variance[c]! + epsilon)));
}

/** Above zero unchanged, below by the slope. */
function slopeGains(slopes: readonly number[] | undefined, channels: number, out: Gains | null): Gains | null {
  if (!out || !slopes || (slopes.length !== 1 && slopes.length !== channels)) return null;
  const slope = (c: number) => slopes[slopes.length === 1 ? 0 : c]!;
  return { above: out.above, below: out.below.map((gain, c) => gain * slope(c) ** 2) };
}

/** Nothing passes on a side of zero that lies beyond a bound. */
function clipGains(node: Node, out: Gains | null): Gains | null {
  const bounds = clipBounds(node);
  if (!out || !bounds) return out;
  const nothing = new Float64Array(out.above.length);
  return { above: bounds.max > 0 ? out.above : nothing, below: bounds.min < 0 ? out.below : nothing };
}

/** What an addition returns has another sign than what went in. */
function eitherSign(out: Gains | null): Gains | null {
  return out && uniform(out.above.map((gain, c) => (gain + out.below[c]!) / 2));
}

function sliceGains(
  node: Node,
  value: Value,
  channels: number,
  channelsOf: ChannelsOf,
  out: Gains | null,
): Gains | null {
  if (!out) return null;
  const above = new Float64Array(channels);
  const below = new Float64Array(channels);
  let at = 0;
  for (const input of node.inputs) {
    const length = input ? channelsOf(input) : undefined;
    if (length === undefined) return null;
    if (input === value) {
      for (let c = 0; c < channels; c++) {
        above[c]! += out.above[at + c]!;
        below[c]! += out.below[at + c]!;
      }
    }
    at += length;
  }
  return { above, below };
}
