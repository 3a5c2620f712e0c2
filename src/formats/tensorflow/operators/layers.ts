/** Convolutions, pooling, batch norms, matrix products, and their fused forms. */

import type { Dim } from "../../../ir/inner.ts";
import {
  type ConvolutionWindow,
  convolution,
  depthwiseConvolution,
  transposedConvolution,
} from "../../channels-last/convolution.ts";
import { elementwise, unary } from "../../channels-last/elementwise.ts";
import type { Emitter } from "../../channels-last/emitter.ts";
import { matMul } from "../../channels-last/matrix.ts";
import { batchNorm, pooling } from "../../channels-last/pooling.ts";
import { depthSpace, resize } from "../../channels-last/resize.ts";
import type { Term } from "../../channels-last/term.ts";
import { type Padding, spatialAxes, windowOrder } from "../../channels-last/windows.ts";
import type { Call, Family, OperatorRow } from "../call.ts";
import { nothing, type Slot } from "../slots.ts";
import { scalar } from "./angle.ts";
import { addBias, clip, leakyRelu } from "./elementwise.ts";

const channelsOf = (call: Call): "first" | "last" =>
  call.attributes.string("data_format", "NHWC").startsWith("NC") ? "first" : "last";

/** A list of the format's axes → its numbers for the spatial ones. */
function spatial(call: Call, list: readonly number[], rank: number, what: string): number[] {
  if (list.length === 0) return Array.from({ length: rank - 2 }, () => 1);
  if (list.length !== rank) throw call.e.broken(`expected ${rank} numbers as ${what}, got [${list.join(",")}]`);
  const axes = spatialAxes(rank, channelsOf(call));
  const rest = list.filter((_, axis) => !axes.includes(axis));
  if (rest.some((value) => value !== 1))
    throw call.e.fail(`expected ${what} of 1 along batch and channels, got [${list.join(",")}]`);
  return axes.map((axis) => list[axis]!);
}

function paddingOf(call: Call, rank: number): Padding {
  const name = call.attributes.string("padding");
  if (name === "SAME" || name === "VALID") return name;
  const list = call.attributes.ints("explicit_paddings");
  if (name !== "EXPLICIT" || list.length !== 2 * rank)
    throw call.e.broken(`expected a padding, got ${JSON.stringify(name)}`);
  return spatialAxes(rank, channelsOf(call)).map((axis) => [list[2 * axis]!, list[2 * axis + 1]!] as const);
}

function windowOf(call: Call, rank: number): ConvolutionWindow {
  return {
    strides: spatial(call, call.attributes.ints("strides"), rank, "strides"),
    dilations: spatial(call, call.attributes.ints("dilations"), rank, "dilations"),
    padding: paddingOf(call, rank),
    channels: channelsOf(call),
  };
}

const convolved: OperatorRow = {
  emit: (call) => convolution(call.e, call.term(0), call.term(1), windowOf(call, call.term(0).shape.length)),
};

const depthwise: OperatorRow = {
  emit: (call) => depthwiseConvolution(call.e, call.term(0), call.term(1), windowOf(call, call.term(0).shape.length)),
};

const activations: Readonly<Record<string, (e: Emitter, x: Term, call: Call) => Term>> = {
  Relu: (e, x) => unary(e, "Relu", x),
  Relu6: (e, x) => clip(e, x, 0, 6),
  Elu: (e, x) => unary(e, "Elu", x),
  Sigmoid: (e, x) => unary(e, "Sigmoid", x),
  Tanh: (e, x) => unary(e, "Tanh", x),
  LeakyRelu: (e, x, call) => leakyRelu(e, x, call.attributes.float("leakyrelu_alpha", 0.2)),
  _FusedHardSwish: (e, x) => unary(e, "HardSwish", x),
};

/** What a fused operator does after its layer: a bias first (the layer's own), then batch norm, sums, activations. */
function fused(call: Call, layer: (bias: Term | undefined) => Term): Term {
  const { e } = call;
  const steps = call.attributes.strings("fused_ops");
  const more = call.terms(2);
  let at = 0;
  const take = (): Term => {
    const term = more[at++];
    if (term) return term;
    throw e.broken(`expected an input for each of [${steps.join(",")}], got ${more.length}`);
  };
  let made = layer(steps[0] === "BiasAdd" ? take() : undefined);
  for (const step of steps[0] === "BiasAdd" ? steps.slice(1) : steps) {
    if (step === "FusedBatchNorm") {
      made = batchNorm(
        e,
        made,
        [take(), take(), take(), take()],
        call.attributes.float("epsilon", 1e-4),
        channelsOf(call),
      );
    } else if (step === "BiasAdd") made = addBias(e, made, take(), channelsOf(call) === "first");
    else if (step === "Add") made = elementwise(e, "Add", [made, take()]);
    else if (step === "Prelu") made = elementwise(e, "PRelu", [made, take()]);
    else {
      const activation = activations[step];
      if (!activation) throw e.fail(`expected a step that is known, got ${step}`);
      made = activation(e, made, call);
    }
  }
  return made;
}

const fusedConvolution: OperatorRow = {
  emit: (call) => {
    const x = call.term(0);
    return fused(call, (bias) => convolution(call.e, x, call.term(1), windowOf(call, x.shape.length), bias));
  },
};

const fusedDepthwise: OperatorRow = {
  emit: (call) => {
    const x = call.term(0);
    return fused(call, (bias) => depthwiseConvolution(call.e, x, call.term(1), windowOf(call, x.shape.length), bias));
  },
};

/** The sizes of the result are the first input. */
const backpropagated: OperatorRow = {
  emit: (call) => {
    const x = call.term(2);
    const rank = x.shape.length;
    const sizes = call.content(0, "the sizes of a transposed convolution");
    if (sizes.length !== rank) throw call.e.broken(`expected ${rank} sizes, got ${sizes.length}`);
    const wanted = spatialAxes(rank, channelsOf(call)).map((axis) => numberOrNull(sizes[axis]!));
    return transposedConvolution(call.e, x, call.term(1), windowOf(call, rank), wanted);
  },
  limits: "sizes that depend on the model's inputs are taken for stride times the input's",
};

const numberOrNull = (dim: Dim): number | null => (typeof dim === "number" ? dim : null);

const pooled = (kind: "MaxPool" | "AveragePool"): OperatorRow => ({
  emit: (call) => {
    const x = call.term(0);
    const rank = x.shape.length;
    const kernel = spatial(call, kernelOf(call), rank, "ksize");
    const { dilations: _, ...window } = windowOf(call, rank);
    return pooling(call.e, kind, x, { ...window, kernel, strides: spatial(call, stridesOf(call), rank, "strides") });
  },
});

/** MaxPoolV2 has window and strides as inputs. */
const kernelOf = (call: Call) =>
  call.attributes.has("ksize") ? call.attributes.ints("ksize") : call.numbers(1, "a window");
const stridesOf = (call: Call) =>
  call.attributes.has("strides") ? call.attributes.ints("strides") : call.numbers(2, "strides");

const normalised: OperatorRow = {
  emit: (call): Slot[] => {
    const { e, attributes } = call;
    if (attributes.flag("is_training", true)) {
      throw e.fail(
        "expected a batch norm of inference, got one of training",
        "export the model for inference (training=False)",
      );
    }
    const parameters = [call.term(1), call.term(2), call.term(3), call.term(4)] as const;
    const y = batchNorm(e, call.term(0), parameters, attributes.float("epsilon", 1e-4), channelsOf(call));
    return [y, nothing, nothing, nothing, nothing, nothing];
  },
  outputs: ["y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3"],
  limits: "of inference; the statistics are no outputs",
};

const product: OperatorRow = {
  emit: (call) => {
    const { attributes } = call;
    const flag = (...names: string[]) => names.some((name) => attributes.flag(name));
    return matMul(call.e, call.term(0), call.term(1), flag("transpose_a", "adj_x"), flag("transpose_b", "adj_y"));
  },
};

const resized = (mode: "linear" | "nearest" | "cubic"): OperatorRow => ({
  emit: (call) => {
    const lengths = call.content(1, "a size").map(numberOrNull);
    const { attributes } = call;
    const sampling = {
      mode,
      alignCorners: attributes.flag("align_corners"),
      halfPixels: attributes.flag("half_pixel_centers"),
    };
    const x = call.term(0);
    // Bilinear and cubic results are floats, whatever the image is.
    const image = mode === "nearest" || x.dtype === "float32" ? x : unary(call.e, "Cast", x, { to: 1 }, "float32");
    return resize(call.e, image, { lengths, by: call.term(1) }, sampling);
  },
});

export const layerRows: Family = {
  Conv2D: convolved,
  Conv3D: convolved,
  DepthwiseConv2dNative: depthwise,
  _FusedConv2D: fusedConvolution,
  FusedDepthwiseConv2dNative: fusedDepthwise,
  Conv2DBackpropInput: backpropagated,
  Conv3DBackpropInputV2: backpropagated,
  MaxPool: pooled("MaxPool"),
  MaxPoolV2: pooled("MaxPool"),
  MaxPool3D: pooled("MaxPool"),
  AvgPool: pooled("AveragePool"),
  AvgPool3D: pooled("AveragePool"),
  FusedBatchNorm: normalised,
  FusedBatchNormV2: normalised,
  FusedBatchNormV3: normalised,
  LRN: {
    emit: (call) => {
      const { e, attributes } = call;
      const x = call.term(0);
      const radius = attributes.int("depth_radius", 5);
      const order = windowOrder(x.shape.length, "last");
      const float = (value: number) => ({ type: "float" as const, value });
      // ONNX divides alpha by the number of channels under the window, TensorFlow does not.
      const size = 2 * radius + 1;
      const node = e.node("LRN", [e.value(x, order)], {
        size,
        alpha: float(attributes.float("alpha", 1) * size),
        beta: float(attributes.float("beta", 0.5)),
        bias: float(attributes.float("bias", 1)),
      });
      return e.term(node.output, x.dtype, x.shape, order);
    },
  },
  MatMul: product,
  BatchMatMul: product,
  BatchMatMulV2: product,
  BatchMatMulV3: product,
  _FusedMatMul: {
    emit: (call) =>
      fused(call, (bias) => {
        const { attributes } = call;
        const made = matMul(
          call.e,
          call.term(0),
          call.term(1),
          attributes.flag("transpose_a"),
          attributes.flag("transpose_b"),
        );
        return bias ? elementwise(call.e, "Add", [made, bias]) : made;
      }),
  },
  Einsum: { emit: (call) => einsum(call), limits: "without ellipsis" },
  ResizeBilinear: resized("linear"),
  ResizeNearestNeighbor: resized("nearest"),
  ResizeBicubic: resized("cubic"),
  DepthToSpace: {
    emit: (call) =>
      depthSpace(call.e, "DepthToSpace", call.term(0), call.attributes.int("block_size", 0), channelsOf(call)),
  },
  SpaceToDepth: {
    emit: (call) =>
      depthSpace(call.e, "SpaceToDepth", call.term(0), call.attributes.int("block_size", 0), channelsOf(call)),
  },
  L2Loss: {
    emit: (call) => {
      const { e } = call;
      const x = call.term(0);
      const sum = e.node("ReduceSumSquare", [e.value(x, x.order)], { keepdims: 0 }).output;
      return elementwise(e, "Mul", [e.term(sum, x.dtype, []), scalar(e, 0.5, x)]);
    },
  },
};

function einsum(call: Call): Term {
  const { e } = call;
  const equation = call.attributes.string("equation").replaceAll(" ", "");
  const [left, right] = equation.split("->");
  const terms = call.terms();
  const letters = left?.split(",") ?? [];
  if (right === undefined || !/^[a-zA-Z,]*$/.test(left! + right) || letters.length !== terms.length) {
    throw e.fail(`expected an equation of letters with a result, got ${JSON.stringify(equation.slice(0, 100))}`);
  }
  const lengths = new Map<string, Dim>();
  letters.forEach((word, i) => {
    if (word.length !== terms[i]!.shape.length)
      throw e.broken(`expected an input of rank ${word.length}, got ${terms[i]!.shape.length}`);
    [...word].forEach((letter, axis) => {
      const dim = terms[i]!.shape[axis]!;
      if (typeof lengths.get(letter) !== "number") lengths.set(letter, dim);
    });
  });
  const node = e.node(
    "Einsum",
    terms.map((term) => e.value(term)),
    { equation },
  );
  return e.term(
    node.output,
    terms[0]!.dtype,
    [...right].map((letter) => lengths.get(letter) ?? null),
  );
}
