/** Normalizations over groups of elements: x̂ = (x − μ) / σ (or x / σ), where μ and σ depend on x. */
import type { Value } from "../../../ir/inner.ts";
import { sizeOf, Tensor } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";
import { batchNorm } from "./batch-norm.ts";
import { type Normal, normalInput, standardized, unitRoot } from "./normal.ts";

/** Normalization over all axes from `axis` on, with scale and bias that lie over the last axes. */
function layerNorm(b: Backward, centred: boolean): InputGradients {
  const { node, dy } = b;
  if (node.outputs.some((_, index) => index > 0 && b.gradient(index))) {
    throw b.refusal("something depends on its statistics, which have no rule of their own");
  }
  const shape = b.shapeOf(0);
  const first = node.int("axis", -1);
  const axes = shape.map((_, axis) => axis).slice(first);
  // The statistics that the forward pass gives out need not be computed again.
  const computed = (index: number) => (node.outputs[index]?.name ? node.outputs[index] : undefined);
  const epsilon = node.float("epsilon", 1e-5);
  const normal = centred
    ? standardized(b, b.input(0), axes, epsilon, { mean: computed(1), inverse: computed(2) })
    : unitRoot(b, b.input(0), axes, epsilon, computed(1));
  return affine(b, normal, dy);
}

/** Gradients to x, scale and bias of y = scale · x̂ + bias, where these two broadcast against the elements. */
function affine(b: Backward, normal: Normal, dy: Value): InputGradients {
  const shape = b.shapeOf(0);
  const scale = b.node.input(1);
  return [
    b.wants(0) ? normalInput(b, normal, scale ? b.mul(dy, scale) : dy) : null,
    b.wants(1) ? b.unbroadcast(b.mul(dy, normal.x), shape, b.shapeOf(1)) : null,
    b.wants(2) ? b.unbroadcast(dy, shape, b.shapeOf(2)) : null,
  ];
}

function instanceNorm(b: Backward): InputGradients {
  const shape = b.shapeOf(0);
  const axes = shape.map((_, axis) => axis).slice(2);
  const normal = standardized(b, b.input(0), axes, b.node.float("epsilon", 1e-5));
  const others = shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  const wide = b.reshape(b.input(1), [1, shape[1]!, ...axes.map(() => 1)]);
  return [
    b.wants(0) ? normalInput(b, normal, b.mul(b.dy, wide)) : null,
    b.wants(1) ? b.sum(b.mul(b.dy, normal.x), others) : null,
    b.wants(2) ? b.sum(b.dy, others) : null,
  ];
}

/** Groups of channels (Wu and He, 2018). The scale has a number for each channel; before opset 21, for each group. */
function groupNorm(b: Backward): InputGradients {
  const shape = b.shapeOf(0);
  const [samples = 1, channels = 1] = shape;
  const groups = b.node.int("num_groups", 1);
  const perGroup = channels / groups;
  const places = sizeOf(shape.slice(2));
  const split = [samples, groups, perGroup, places];
  const [given] = b.shapeOf(1);
  const wide = (value: Value) => b.reshape(value, given === channels ? [1, groups, perGroup, 1] : [1, groups, 1, 1]);
  const back = (value: Value) => b.reshape(b.sum(value, given === channels ? [0, 3] : [0, 2, 3]), [given!]);
  const dy = b.reshape(b.dy, split);
  const normal = standardized(b, b.reshape(b.input(0), split), [2, 3], b.node.float("epsilon", 1e-5));
  return [
    b.wants(0) ? b.reshape(normalInput(b, normal, b.mul(dy, wide(b.input(1)))), shape) : null,
    b.wants(1) ? back(b.mul(dy, normal.x)) : null,
    b.wants(2) ? back(dy) : null,
  ];
}

/** y = (x − μ) / (σ + 1e-9), with σ of the whole batch. */
function meanVariance(b: Backward): InputGradients {
  const axes = b.node.ints("axes", [0, 2, 3]);
  return [normalInput(b, standardized(b, b.input(0), axes, 1e-18), b.dy)];
}

/** y = x / ‖x‖: dx = (dy − (1-norm: sign x, 2-norm: y) · Σ dy · y) / ‖x‖. */
function lpNorm(b: Backward): InputGradients {
  const axis = b.node.int("axis", -1);
  const isFirst = b.node.int("p", 2) === 1;
  const x = b.input(0);
  const norm = b.op(isFirst ? "ReduceL1" : "ReduceL2", [x, b.ints([axis])], { keepdims: 1 });
  const along = b.sum(b.mul(b.dy, b.y), [axis], true);
  const slope = isFirst ? b.op("Sign", [x]) : b.y;
  return [b.div(b.sub(b.dy, b.mul(slope, along)), b.op("Max", [norm, b.scalar(1e-12)]))];
}

/**
 * Local response normalization (Krizhevsky et al., 2012): y = x · s^−β with s = k + α / n · Σ x² over n channels around:
 * dx = dy · s^−β − 2 α β / n · x · Σ dy · x · s^(−β − 1), the sum over the channels that see this one.
 */
function localResponse(b: Backward): InputGradients {
  const { node, dy } = b;
  const shape = b.shapeOf(0);
  const [samples = 1, channels = 1] = shape;
  const size = node.int("size", 1);
  const [alpha, beta, bias] = [node.float("alpha", 1e-4), node.float("beta", 0.75), node.float("bias", 1)];
  // ONNX Runtime has odd sizes only, so the window looks the same from both sides.
  const half = (size - 1) / 2;
  const ones = b.constant(Tensor.float32([1, 1, size, 1], new Float32Array(size).fill(1)));
  const around = (value: Value) => {
    const planes = b.reshape(value, [samples, 1, channels, -1]);
    return b.reshape(b.op("Conv", [planes, ones], { kernel_shape: [size, 1], pads: [half, 0, half, 0] }), shape);
  };
  const x = b.input(0);
  const s = b.add(b.mul(around(b.square(x)), alpha / size), b.scalar(bias));
  const scale = b.op("Pow", [s, b.scalar(-beta)]);
  const direct = b.mul(dy, scale);
  const spread = around(b.div(b.mul(direct, x), s));
  return [b.sub(direct, b.mul(b.mul(x, spread), (2 * alpha * beta) / size))];
}

/** Without training_mode an identity; with it what the mask lets through, scaled. */
function dropout(b: Backward): InputGradients {
  const training = b.constantInput(2)?.numbers()[0];
  if (!training) return [b.dy];
  const ratio = b.constantInput(1)?.numbers()[0] ?? 0.5;
  if (ratio === 0) return [b.dy];
  const mask = b.node.outputs[1];
  if (!mask?.name) throw b.refusal("it drops at random without telling its mask; give it its second output");
  return [b.mul(b.mul(b.dy, b.asFloat(mask)), 1 / (1 - ratio))];
}

export const normalizations = {
  BatchNormalization: batchNorm,
  Dropout: dropout,
  GroupNormalization: groupNorm,
  InstanceNormalization: instanceNorm,
  LRN: localResponse,
  LayerNormalization: (b) => layerNorm(b, true),
  LpNormalization: lpNorm,
  MeanVarianceNormalization: meanVariance,
  RMSNormalization: (b) => layerNorm(b, false),
  SimplifiedLayerNormalization: (b) => layerNorm(b, false),
} satisfies Record<string, GradientRow>;
