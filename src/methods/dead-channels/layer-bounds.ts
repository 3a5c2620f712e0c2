/** Bounds behind layers with constant weights. */
import { isRefused } from "../../base/inner.ts";
import { channelsOf, isOp, rankOf } from "../../facts/inner.ts";
import { biasesOf, type EditableLayer, editableProduct } from "../../passes/inner.ts";
import { elementsOf } from "../../tensor/inner.ts";
import { anything, type Bounds, type Step, single, spread, zeroToo } from "./bounds.ts";
import { type Intervals, linear } from "./math.ts";

export function layerBounds(step: Step): Bounds {
  const layer = editableProduct(step.node);
  return layer && !isRefused(layer) ? ofLayer(layer, step) : anything;
}

function ofLayer(layer: EditableLayer, step: Step): Bounds {
  const { node } = layer;
  const rank = step.rankOf(node.input(0));
  const axis = isOp(node, "MatMul") ? (rank ?? 0) - 1 : 1;
  const of = step.of(node.input(0));
  const given = inputIntervals(layer, of) ?? spread({ axis: null, each: single(of) }, layer.axes.inputs);
  const isTransposed = isOp(node, "Gemm") && node.int("transA", 0) !== 0;
  const x = isTransposed ? spread({ axis: null, each: single(of) }, layer.axes.inputs) : given;
  const alpha = isOp(node, "Gemm") ? node.float("alpha", 1) : 1;
  const beta = isOp(node, "Gemm") ? node.float("beta", 1) : 1;
  const bias = biasesOf(layer).map((b) => b * beta);
  const each = linear(
    elementsOf(layer.weight.tensor),
    channelsOf(layer),
    bias,
    seesPadding(layer) ? zeroToo(x) : x,
    alpha,
  );
  return axis < 0 ? { axis: null, each: single({ axis, each }) } : { axis, each };
}

/** The intervals of the input channels of a layer, or undefined where its channels are not on the axis of the bounds. */
export function inputIntervals(layer: EditableLayer, bounds: Bounds): Intervals | undefined {
  if (bounds.axis === null) return spread(bounds, layer.axes.inputs);
  const axis = isOp(layer.node, "MatMul") ? (rankOf(layer.node.input(0)) ?? 0) - 1 : 1;
  const length = bounds.each.lo.length;
  return bounds.axis === axis && length === layer.axes.inputs ? bounds.each : undefined;
}

/** Whether some of the layer's products see zeros of a padding, or nothing, in the place of its input. */
export function seesPadding({ node }: EditableLayer): boolean {
  // A transposed convolution sums fewer products at its borders and between strides.
  if (isOp(node, "ConvTranspose")) return true;
  if (!isOp(node, "Conv")) return false;
  return !["NOTSET", "VALID"].includes(node.string("auto_pad", "NOTSET")) || node.ints("pads", []).some((p) => p !== 0);
}
