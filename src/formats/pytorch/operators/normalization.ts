/** ATen's normalizations, in inference: statistics of batches are those that training left. */
import type { Dim } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Row } from "../call.ts";

/** The same number for each channel. */
function filled(c: Call, length: Dim | undefined, value: number): Term {
  if (typeof length !== "number") throw c.fail("channels that depend on the input");
  return c.e.numbers(new Array<number>(length).fill(value), "float32", [length]);
}

function batchNorm(c: Call): Term {
  const input = c.t("input");
  const channels = input.shape[1];
  const [hasMean, hasVariance] = [c.has("running_mean"), c.has("running_var")];
  if (!hasMean && !hasVariance) return ownStatistics(c);
  if (c.bool("training", false) || !hasMean || !hasVariance) {
    throw c.fail("statistics of the batch: export the model in model.eval()");
  }
  return c.give(
    "BatchNormalization",
    [
      input,
      c.maybe("weight") ?? filled(c, channels, 1),
      c.maybe("bias") ?? filled(c, channels, 0),
      c.t("running_mean"),
      c.t("running_var"),
    ],
    { epsilon: c.number("eps", 1e-5) },
  );
}

/** Of one sample, over what is behind its channels: how instance norms are decomposed, and how weights are standardized. */
function ownStatistics(c: Call): Term {
  const input = c.t("input");
  const channels = input.shape[1];
  if (input.shape[0] !== 1 || input.shape.length < 3) {
    throw c.fail("statistics of the batch: export the model in model.eval()");
  }
  const [scale, offset] = [c.maybe("weight") ?? filled(c, channels, 1), c.maybe("bias") ?? filled(c, channels, 0)];
  return c.give("InstanceNormalization", [input, scale, offset], { epsilon: c.number("eps", 1e-5) });
}

function layerNorm(c: Call): Term {
  const input = c.t("input");
  const shape = c.ints("normalized_shape");
  const size = shape.reduce((a, b) => a * b, 1);
  const scale = c.maybe("weight") ?? c.e.constant(Tensor.float32(shape, new Float32Array(checked(c, size)).fill(1)));
  return c.give("LayerNormalization", [input, scale, c.maybe("bias")], {
    axis: input.shape.length - shape.length,
    epsilon: c.number("eps", 1e-5),
  });
}

/** Of a shape that the file names: as much memory as tensors of an honest one take. */
function checked(c: Call, size: number): number {
  if (size <= 2 ** 24) return size;
  throw c.fail(`a normalization over ${size} elements without weights`);
}

/** Channels in groups: each group of each sample has mean 0 and variance 1, then each channel its scale and offset. */
function groupNorm(c: Call, groups: number): Term {
  const input = c.t("input");
  const { dtype } = input;
  const rank = input.shape.length;
  const spread = (name: string): Term | undefined => {
    const term = c.maybe(name);
    if (!term?.constant) return term && c.reshape(term, [term.shape[0]!, ...new Array<number>(rank - 2).fill(1)]);
    const shape = [term.constant.shape[0]!, ...new Array<number>(rank - 2).fill(1)];
    return c.e.term(c.e.initializer({ tensor: term.constant, shape }, [0]), dtype, shape);
  };
  const lengths = c.vector([c.length(input, 0), groups, -1]);
  const flat = c.emit("Reshape", [input, lengths]).output;
  const normal = c.emit("InstanceNormalization", [flat, filled(c, groups, 1), filled(c, groups, 0)], {
    epsilon: c.number("eps", 1e-5),
  }).output;
  let term = c.mid("Reshape", [normal, c.shapeOf(input)], {}, dtype, input.shape);
  const [weight, bias] = [spread("weight"), spread("bias")];
  if (weight) term = c.mid("Mul", [term, weight], {}, dtype, input.shape);
  return bias ? c.mid("Add", [term, bias], {}, dtype, input.shape) : term;
}

const instanceNorm: Row = (c) => {
  const input = c.t("input");
  const channels = input.shape[1];
  if (!c.bool("use_input_stats", true)) return batchNorm(c);
  const [scale, offset] = [c.maybe("weight") ?? filled(c, channels, 1), c.maybe("bias") ?? filled(c, channels, 0)];
  return c.give("InstanceNormalization", [input, scale, offset], { epsilon: c.number("eps", 1e-5) });
};

/** x / √(mean(x²) + ε) · weight, over the last axes. */
function rmsNorm(c: Call): Term {
  const input = c.t("input");
  const { dtype } = input;
  const axes = c.ints("normalized_shape").map((_, i) => -1 - i);
  const epsilon = c.has("eps") ? c.number("eps") : 2 ** -23;
  const mean = c.emit("ReduceMean", [c.emit("Mul", [input, input]).output, c.e.ints(axes)]).output;
  const deviation = c.emit("Sqrt", [c.emit("Add", [mean, c.scalar(epsilon, dtype)]).output]).output;
  const normal = c.mid("Div", [input, deviation], {}, dtype, input.shape);
  const weight = c.maybe("weight");
  return weight ? c.mid("Mul", [normal, weight], {}, dtype, input.shape) : normal;
}

/** x / max(‖x‖, ε) is written out by PyTorch; the norm is the operator. */
const vectorNorm: Row = (c) => {
  const self = c.t("self");
  const order = c.has("ord") ? c.number("ord") : c.number("p", 2);
  const axes = c.ints("dim", []);
  const keepdims = Number(c.bool("keepdim", false));
  const op = order === 2 ? "ReduceL2" : order === 1 ? "ReduceL1" : order === Infinity ? "ReduceMax" : undefined;
  if (op === undefined) throw c.fail(`a norm of order ${order}`);
  const input = order === Infinity ? c.emit("Abs", [self]).output : self;
  return c.give(op, [input, axes.length > 0 ? c.e.ints(axes) : null], { keepdims });
};

/** v · g / ‖v‖, with a norm for each length of one axis, or one of all (axis −1). */
function weightNorm(c: Call): Term {
  const v = c.t("v");
  const dim = c.number("dim", 0);
  const axes = v.shape.map((_, axis) => axis).filter((axis) => axis !== dim);
  const norm = c.emit("ReduceL2", [v, c.e.ints(axes)], { keepdims: 1 }).output;
  return c.give("Mul", [v, c.emit("Div", [c.t("g"), norm]).output]);
}

export const normalization: Readonly<Record<string, Row>> = {
  batch_norm: batchNorm,
  _native_batch_norm_legit_no_training: (c) => [batchNorm(c)],
  _native_batch_norm_legit: (c) => [batchNorm(c)],
  native_batch_norm: (c) => [batchNorm(c)],
  cudnn_batch_norm: (c) => [batchNorm(c)],
  layer_norm: layerNorm,
  native_layer_norm: (c) => [layerNorm(c)],
  group_norm: (c) => groupNorm(c, c.number("num_groups")),
  native_group_norm: (c) => [groupNorm(c, c.number("group"))],
  instance_norm: instanceNorm,
  rms_norm: rmsNorm,
  _fused_rms_norm: (c) => [rmsNorm(c)],
  _weight_norm: weightNorm,
  _weight_norm_interface: (c) => [weightNorm(c)],
  linalg_vector_norm: vectorNorm,
  norm: vectorNorm,
};
