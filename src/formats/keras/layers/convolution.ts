/** Convolutions, pooling, padding and enlarging, in one to three dimensions. */
import type { Dim } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import { reduce } from "../../channels-last/axes.ts";
import { convolution, depthwiseConvolution, transposedConvolution } from "../../channels-last/convolution.ts";
import { pad } from "../../channels-last/pad.ts";
import { batchNorm as batchNormalization, pooling } from "../../channels-last/pooling.ts";
import { repeated, resize } from "../../channels-last/resize.ts";
import { slice } from "../../channels-last/slice.ts";
import type { Term } from "../../channels-last/term.ts";
import { channelAxis, reach, spatialAxes, type Window } from "../../channels-last/windows.ts";
import { activated } from "../activations.ts";
import type { LayerCall, Row } from "../call.ts";

/** Window settings that convolutions share; causal padding is done here and leaves none. */
function windowed(c: LayerCall, axes: number, kernel: readonly number[]): { x: Term; window: Omit<Window, "kernel"> } {
  const strides = c.ints("strides", axes);
  const dilations = c.ints("dilation_rate", axes);
  const { channels, padding } = c;
  const x = c.x();
  if (x.shape.length !== axes + 2) throw c.e.broken(`expected an input of rank ${axes + 2}, got ${x.shape.length}`);
  if (padding !== "causal") return { x, window: { strides, dilations, padding, channels } };
  const before = reach(kernel[0]!, dilations[0]!) - 1;
  const pads = x.shape.map((_, axis) => [spatialAxes(3, channels).includes(axis) ? before : 0, 0] as const);
  return { x: pad(c.e, x, pads), window: { strides, dilations, padding: "VALID", channels } };
}

const finished = (c: LayerCall, y: Term): Term => activated(c.e, y, c.setting("activation"), c.parts.version);

const kernelOf = (filter: Term): readonly number[] => filter.shape.slice(0, -2) as readonly number[];

const kernelAndBias = (c: LayerCall) =>
  c.weights([
    ["kernel", true],
    ["bias", c.flag("use_bias", true)],
  ]);

const conv =
  (axes: number): Row =>
  (c) => {
    const { kernel, bias } = kernelAndBias(c);
    const { x, window } = windowed(c, axes, kernelOf(kernel!));
    return finished(c, convolution(c.e, x, kernel!, window, bias));
  };

const depthwise =
  (axes: number): Row =>
  (c) => {
    const has = c.flag("use_bias", true);
    // TensorFlow calls the kernel by another name than Keras 3 does.
    const kernel = c.parts.weights.get("depthwise_kernel", 0) ?? c.parts.weights.get("kernel", 0);
    if (!kernel) throw c.e.broken("expected the weight depthwise_kernel, got none");
    const filter = c.e.constant(kernel);
    const bias = has ? c.weight("bias", 1) : undefined;
    const { x, window } = windowed(c, axes, kernelOf(filter));
    return finished(c, depthwiseConvolution(c.e, x, filter, window, bias));
  };

const separable =
  (axes: number): Row =>
  (c) => {
    const w = c.weights([
      ["depthwise_kernel", true],
      ["pointwise_kernel", true],
      ["bias", c.flag("use_bias", true)],
    ]);
    const { x, window } = windowed(c, axes, kernelOf(w.depthwise_kernel!));
    const inner = depthwiseConvolution(c.e, x, w.depthwise_kernel!, window);
    return finished(
      c,
      convolution(c.e, inner, w.pointwise_kernel!, { padding: "VALID", channels: c.channels }, w.bias),
    );
  };

const transposed =
  (axes: number): Row =>
  (c) => {
    const { kernel, bias } = kernelAndBias(c);
    const { x, window } = windowed(c, axes, kernelOf(kernel!));
    return finished(c, transposedConvolution(c.e, x, kernel!, window, sizesOf(c, x, kernel!, axes), bias));
  };

/** The lengths of the result where `output_padding` asks for them: (n − 1) · stride + kernel − 2 · (kernel >> 1 for same) + more. */
function sizesOf(c: LayerCall, x: Term, kernel: Term, axes: number): number[] | undefined {
  if (c.setting("output_padding") === null || c.setting("output_padding") === undefined) return undefined;
  const [more, strides] = [c.ints("output_padding", axes), c.ints("strides", axes)];
  return spatialAxes(axes + 2, c.channels).map((axis, i) => {
    const length = x.shape[axis];
    if (typeof length !== "number") throw c.e.fail("expected known lengths next to output_padding");
    const size = kernelOf(kernel)[i]!;
    const cut = c.padding === "SAME" ? 2 * Math.floor(size / 2) : 0;
    return (length - 1) * strides[i]! + size - cut + more[i]!;
  });
}

const pool =
  (kind: "MaxPool" | "AveragePool", axes: number): Row =>
  (c) => {
    const kernel = c.ints("pool_size", axes, 2);
    const strides = c.setting("strides") === null ? kernel : c.ints("strides", axes, 2);
    const { padding } = c;
    if (padding === "causal") throw c.broken("padding", "same or valid");
    return pooling(c.e, kind, c.x(), { kernel, strides, padding, channels: c.channels });
  };

const globalPool =
  (op: "ReduceMean" | "ReduceMax"): Row =>
  (c) => {
    const x = c.x();
    return reduce(c.e, op, x, spatialAxes(x.shape.length, c.channels), c.flag("keepdims"));
  };

/** Pairs of numbers on the spatial axes, none elsewhere. */
function around(c: LayerCall, key: string, axes: number): (readonly [number, number])[] {
  const pairs = c.pairs(key, axes);
  const spatial = spatialAxes(axes + 2, c.channels);
  return Array.from({ length: axes + 2 }, (_, axis) =>
    spatial.includes(axis) ? pairs[spatial.indexOf(axis)]! : [0, 0],
  );
}

const zeroPadding =
  (axes: number): Row =>
  (c) =>
    pad(c.e, c.x(), around(c, "padding", axes));

const cropping =
  (axes: number): Row =>
  (c) => {
    const ranges = around(c, "cropping", axes).map(([before, after], axis) => ({
      axis,
      start: before,
      end: after > 0 ? -after : null,
      step: 1,
    }));
    return slice(c.e, c.x(), ranges);
  };

const upSampling =
  (axes: number): Row =>
  (c) => {
    const x = c.x();
    const times = c.ints("size", axes, 2);
    const kind = c.text("interpolation", "nearest");
    if (kind === "nearest") return repeated(c.e, x, times, c.channels);
    const lengths = spatialAxes(axes + 2, c.channels).map((axis, i): Dim => {
      const length = x.shape[axis]!;
      return typeof length === "number" ? length * times[i]! : null;
    });
    return interpolated(c, x, kind, lengths);
  };

function interpolated(c: LayerCall, x: Term, kind: string, lengths: readonly Dim[]): Term {
  if (kind !== "bilinear" && kind !== "nearest")
    throw c.e.fail(`expected interpolation nearest or bilinear, got ${kind}`);
  const known = lengths.map((length) => (typeof length === "number" ? length : null));
  const mode = kind === "bilinear" ? "linear" : "nearest";
  return resize(c.e, x, { lengths: known }, { mode, alignCorners: false, halfPixels: true }, c.channels);
}

/** Batch norm of inference along the channels. */
const batchNorm: Row = (c) => {
  const x = c.x();
  const rank = x.shape.length;
  const setting = c.setting("axis") ?? -1;
  const list = Array.isArray(setting) ? setting : [setting];
  const axis = typeof list[0] === "number" ? (list[0] + rank) % rank : -1;
  const channels = axis === rank - 1 ? "last" : "first";
  if (list.length !== 1 || axis !== channelAxis(rank, channels))
    throw c.e.fail(`expected batch norm along the channels, got axis ${list}`);
  const w = c.weights([
    ["gamma", c.flag("scale", true)],
    ["beta", c.flag("center", true)],
    ["moving_mean", true],
    ["moving_variance", true],
  ]);
  const [mean, variance] = [w.moving_mean!, w.moving_variance!];
  const all = (value: number): Term =>
    c.e.constant(Tensor.float32(mean.constant!.shape, new Float32Array(mean.constant!.size).fill(value)));
  const weights = [w.gamma ?? all(1), w.beta ?? all(0), mean, variance] as const;
  return batchNormalization(c.e, x, weights, c.number("epsilon", 1e-3), channels);
};

export const convolutionLayers = {
  Conv1D: conv(1),
  Conv2D: conv(2),
  Conv3D: conv(3),
  DepthwiseConv1D: depthwise(1),
  DepthwiseConv2D: depthwise(2),
  SeparableConv1D: separable(1),
  SeparableConv2D: separable(2),
  Conv1DTranspose: transposed(1),
  Conv2DTranspose: transposed(2),
  Conv3DTranspose: transposed(3),
  MaxPooling1D: pool("MaxPool", 1),
  MaxPooling2D: pool("MaxPool", 2),
  MaxPooling3D: pool("MaxPool", 3),
  AveragePooling1D: pool("AveragePool", 1),
  AveragePooling2D: pool("AveragePool", 2),
  AveragePooling3D: pool("AveragePool", 3),
  GlobalMaxPooling1D: globalPool("ReduceMax"),
  GlobalMaxPooling2D: globalPool("ReduceMax"),
  GlobalMaxPooling3D: globalPool("ReduceMax"),
  GlobalAveragePooling1D: globalPool("ReduceMean"),
  GlobalAveragePooling2D: globalPool("ReduceMean"),
  GlobalAveragePooling3D: globalPool("ReduceMean"),
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  ZeroPadding3D: zeroPadding(3),
  Cropping1D: cropping(1),
  Cropping2D: cropping(2),
  Cropping3D: cropping(3),
  UpSampling1D: upSampling(1),
  UpSampling2D: upSampling(2),
  UpSampling3D: upSampling(3),
  BatchNormalization: batchNorm,
  Resizing: (c) => {
    if (c.flag("crop_to_aspect_ratio") || c.flag("pad_to_aspect_ratio"))
      throw c.e.fail("expected resizing without cropping and padding");
    return interpolated(c, c.x(), c.text("interpolation", "bilinear"), [c.number("height"), c.number("width")]);
  },
} satisfies Record<string, Row>;
