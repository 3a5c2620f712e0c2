/** Products on the last axis, activations, norms, merging, shapes, and what does nothing when a network is used. */
import type { Dim } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import { alongAxis, axesOf, broadcastTo, concat, gather, reduce, tile, unsqueeze } from "../../channels-last/axes.ts";
import { cast, elementwise, unary } from "../../channels-last/elementwise.ts";
import { dense, matMul } from "../../channels-last/matrix.ts";
import { reshape, transpose } from "../../channels-last/reshape.ts";
import { lengthsOf, type Term } from "../../channels-last/term.ts";
import { activated, clipped } from "../activations.ts";
import type { LayerCall, Row } from "../call.ts";

const float = (value: number) => ({ type: "float", value }) as const;
const same: Row = (c) => c.x();

const denseLayer: Row = (c) => {
  const { kernel, bias } = c.weights([
    ["kernel", true],
    ["bias", c.flag("use_bias", true)],
  ]);
  return activated(c.e, dense(c.e, c.x(), kernel!, bias), c.setting("activation"), c.parts.version);
};

/** y = x above the threshold and up to the largest value, a slope times (x − threshold) below. */
const relu: Row = (c) => {
  const x = c.x();
  const { e } = c;
  const slope = c.setting("negative_slope") === null ? 0 : c.number("negative_slope", 0);
  const threshold = c.setting("threshold") === null ? 0 : c.number("threshold", 0);
  const most =
    c.setting("max_value") === null || c.setting("max_value") === undefined ? undefined : c.number("max_value");
  if (threshold !== 0) {
    const isAbove = elementwise(e, "GreaterOrEqual", [x, e.numbers(threshold, x.dtype)], "bool");
    const above = most === undefined ? x : unary(e, "Min", x, {}, x.dtype, [e.value(e.numbers(most, x.dtype))]);
    const below = elementwise(e, "Mul", [
      elementwise(e, "Sub", [x, e.numbers(threshold, x.dtype)]),
      e.numbers(slope, x.dtype),
    ]);
    return chosen(c, isAbove, above, below);
  }
  if (slope === 0) return most === undefined ? unary(e, "Relu", x) : clipped(e, x, 0, most);
  const leaky = unary(e, "LeakyRelu", x, { alpha: float(slope) });
  return most === undefined ? leaky : unary(e, "Min", leaky, {}, x.dtype, [e.value(e.numbers(most, x.dtype))]);
};

function chosen(c: LayerCall, condition: Term, yes: Term, no: Term): Term {
  const value = c.e.node(
    "Where",
    [condition, yes, no].map((term) => c.e.value(term, yes.order)),
  ).output;
  return c.e.term(value, yes.dtype, yes.shape, yes.order);
}

/** Softmax over one axis, or over several at once. */
const softmax: Row = (c) => {
  const axis = c.setting("axis") ?? -1;
  if (typeof axis === "number") return alongAxis(c.e, "Softmax", c.x(), axis);
  if (Array.isArray(axis) && axis.length === 1 && typeof axis[0] === "number")
    return alongAxis(c.e, "Softmax", c.x(), axis[0]);
  throw c.e.fail("expected a softmax over one axis");
};

const layerNorm: Row = (c) => {
  const x = c.x();
  const rank = x.shape.length;
  const setting = c.setting("axis") ?? -1;
  const axes = axesOf(c.e, rank, (Array.isArray(setting) ? setting : [setting]) as number[]);
  if (c.setting("rms_scaling") === true) throw c.e.fail("expected a layer norm without rms_scaling");
  if (axes.some((axis, i) => axis !== rank - axes.length + i))
    throw c.e.fail("expected a layer norm over the last axes");
  const lengths = lengthsOf(axes.map((axis) => x.shape[axis]!));
  if (!lengths) throw c.e.fail("expected a layer norm over known lengths");
  const { gamma, beta } = c.weights([
    ["gamma", c.flag("scale", true)],
    ["beta", c.flag("center", true)],
  ]);
  const size = lengths.reduce((a, b) => a * b, 1);
  const ones = () => c.e.constant(Tensor.float32(lengths, new Float32Array(size).fill(1)));
  const scale = gamma ?? ones();
  const inputs = [c.e.value(x), c.e.value(scale), beta ? c.e.value(beta) : null];
  const node = c.e.node("LayerNormalization", inputs, { axis: axes[0]!, epsilon: float(c.number("epsilon", 1e-3)) });
  return c.e.term(node.output, x.dtype, x.shape);
};

/** Over groups of the last axis, and everything between batch and it. */
const groupNorm: Row = (c) => {
  const x = c.x();
  const rank = x.shape.length;
  const channels = x.shape[rank - 1];
  const axis = c.number("axis", -1);
  if ((axis !== -1 && axis !== rank - 1) || typeof channels !== "number")
    throw c.e.fail("expected group norm along the last axis");
  const asked = c.number("groups", 32);
  const groups = asked === -1 ? channels : asked;
  if (!Number.isSafeInteger(groups) || groups < 1 || channels % groups !== 0)
    throw c.broken("groups", `a part of ${channels}`);
  const { gamma, beta } = c.weights([
    ["gamma", c.flag("scale", true)],
    ["beta", c.flag("center", true)],
  ]);
  const split = reshape(c.e, x, [
    ...x.shape.slice(0, -1).map((dim, i) => (i > 0 && dim === null ? -1 : dim)),
    groups,
    channels / groups,
  ]);
  const axes = Array.from({ length: rank + 1 }, (_, i) => i).filter((i) => i !== 0 && i !== rank - 1);
  const normal = normalized(c, split, axes, c.number("epsilon", 1e-3));
  const joined = reshape(c.e, normal, [...x.shape]);
  return affine(c, joined, gamma, beta);
};

/** (x − mean) / √(variance + ε) over axes. */
function normalized(c: LayerCall, x: Term, axes: readonly number[], epsilon: number): Term {
  const { e } = c;
  const centred = elementwise(e, "Sub", [x, reduce(e, "ReduceMean", x, axes, true)]);
  const variance = reduce(e, "ReduceMean", elementwise(e, "Mul", [centred, centred]), axes, true);
  const deviation = unary(e, "Sqrt", elementwise(e, "Add", [variance, e.numbers(epsilon, x.dtype)]));
  return elementwise(e, "Div", [centred, deviation]);
}

function affine(c: LayerCall, x: Term, scale: Term | undefined, offset: Term | undefined): Term {
  const scaled = scale ? elementwise(c.e, "Mul", [x, scale]) : x;
  return offset ? elementwise(c.e, "Add", [scaled, offset]) : scaled;
}

const unitNorm: Row = (c) => {
  const x = c.x();
  const setting = c.setting("axis") ?? -1;
  const axes = (Array.isArray(setting) ? setting : [setting]) as number[];
  const squares = reduce(c.e, "ReduceSum", elementwise(c.e, "Mul", [x, x]), axes, true);
  const length = unary(c.e, "Sqrt", elementwise(c.e, "Max", [squares, c.e.numbers(1e-12, x.dtype)]));
  return elementwise(c.e, "Div", [x, length]);
};

const rmsNorm: Row = (c) => {
  const x = c.x();
  const axis = Array.isArray(c.setting("axis")) ? c.ints("axis", 1)[0]! : c.number("axis", -1);
  const mean = reduce(c.e, "ReduceMean", elementwise(c.e, "Mul", [x, x]), [axis], true);
  const length = unary(c.e, "Sqrt", elementwise(c.e, "Add", [mean, c.e.numbers(c.number("epsilon", 1e-6), x.dtype)]));
  return affine(c, elementwise(c.e, "Div", [x, length]), c.weight("scale"), undefined);
};

const merged =
  (op: "Add" | "Mul" | "Max" | "Min"): Row =>
  (c) =>
    folded(c, op);

/** Terms of different rank have new axes behind the batch, as Keras' merging layers do it. */
function folded(c: LayerCall, op: string): Term {
  const { inputs } = c.parts;
  const rank = Math.max(...inputs.map((term) => term.shape.length));
  const wide = inputs.map((term) => {
    const missing = rank - term.shape.length;
    return missing > 0
      ? unsqueeze(
          c.e,
          term,
          Array.from({ length: missing }, (_, i) => i + 1),
        )
      : term;
  });
  if (wide.length === 0) throw c.e.broken("expected inputs to merge, got none");
  return wide.reduce((all, term) => elementwise(c.e, op, [all, term]));
}

const average: Row = (c) => {
  const count = c.parts.inputs.length;
  return elementwise(c.e, "Div", [folded(c, "Add"), c.e.numbers(count, c.x().dtype)]);
};

/** Products along one axis of each, with batches kept. */
const dot: Row = (c) => {
  const { e } = c;
  const setting = c.setting("axes");
  const axes = (Array.isArray(setting) ? setting : [setting, setting]) as number[];
  const [a, b] = [c.x(0), c.x(1)].map((term, i) => {
    const rank = term.shape.length;
    const [axis] = axesOf(e, rank, [axes[i]!]);
    if (rank > 3 || axis === 0) throw e.fail("expected vectors or matrices of each sample");
    const x = c.flag("normalize") ? unit(c, term, axis!) : term;
    // The axis of the product stands last in the first operand, and before the last in the second.
    const wide =
      rank === 2 ? unsqueeze(e, x, [i === 0 ? 1 : 2]) : axis === (i === 0 ? 2 : 1) ? x : transpose(e, x, [0, 2, 1]);
    return { wide, isVector: rank === 2 };
  });
  const product = matMul(e, a!.wide, b!.wide);
  const [batch, rows, columns] = product.shape;
  const kept = [...(a!.isVector ? [] : [rows!]), ...(b!.isVector ? [] : [columns!])];
  return reshape(e, product, [batch ?? -1, ...(kept.length > 0 ? kept : [1])]);
};

function unit(c: LayerCall, x: Term, axis: number): Term {
  const squares = reduce(c.e, "ReduceSum", elementwise(c.e, "Mul", [x, x]), [axis], true);
  return elementwise(c.e, "Div", [
    x,
    unary(c.e, "Sqrt", elementwise(c.e, "Max", [squares, c.e.numbers(1e-12, x.dtype)])),
  ]);
}

const reshaped: Row = (c) => {
  const target = c.setting("target_shape");
  if (!Array.isArray(target) || !target.every((v) => Number.isSafeInteger(v) && v >= -1))
    throw c.broken("target_shape", "lengths");
  const x = c.x();
  const sample = lengthsOf(x.shape.slice(1));
  const rest = target.filter((v) => v !== -1).reduce((a, b) => a * b, 1);
  // The open length is found here, so that the batch may stay open.
  const known = sample ? target.map((v) => (v === -1 ? sample.reduce((a, b) => a * b, 1) / rest : v)) : target;
  return reshape(c.e, x, [x.shape[0]!, ...known]);
};

const flattened: Row = (c) => {
  const x = c.x();
  const rank = x.shape.length;
  const last =
    c.channels === "first" && rank > 2
      ? transpose(c.e, x, [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1])
      : x;
  if (rank === 1) return unsqueeze(c.e, x, [1]);
  const sample = lengthsOf(x.shape.slice(1));
  return reshape(c.e, last, [x.shape[0]!, sample ? sample.reduce((a, b) => a * b, 1) : -1]);
};

const permuted: Row = (c) => {
  const dims = c.setting("dims");
  if (!Array.isArray(dims)) throw c.broken("dims", "an order of axes");
  return transpose(c.e, c.x(), [0, ...(dims as number[])]);
};

const repeatVector: Row = (c) => {
  const n = c.number("n");
  const x = unsqueeze(c.e, c.x(), [1]);
  const shape: Dim[] = [x.shape[0]!, n, x.shape[2]!];
  return lengthsOf(shape) ? broadcastTo(c.e, x, lengthsOf(shape)!) : tile(c.e, x, [1, n, 1]);
};

const embedding: Row = (c) => {
  if (c.flag("mask_zero")) throw c.e.fail("expected an embedding without a mask (mask_zero)");
  return gather(c.e, c.weight("embeddings"), cast(c.e, c.x(), "int64"), 0);
};

/** x · scale + offset, each one number or one for every channel. */
const rescaling: Row = (c) => {
  const [scale, offset] = [constantOf(c, "scale", 1), constantOf(c, "offset", 0)];
  const x = cast(c.e, c.x(), "float32");
  return elementwise(c.e, "Add", [elementwise(c.e, "Mul", [x, scale]), offset]);
};

function constantOf(c: LayerCall, key: string, absent: number): Term {
  const value = c.setting(key) ?? absent;
  const list = (Array.isArray(value) ? value.flat(9) : [value]) as number[];
  if (!list.every((one) => typeof one === "number" && Number.isFinite(one))) throw c.broken(key, "numbers");
  return list.length === 1 ? c.e.numbers(list[0]!, "float32") : c.e.constant(Tensor.float32([list.length], list));
}

/** (x − mean) / max(√variance, ε); mean and variance are weights, or settings. */
const normalization: Row = (c) => {
  const { e } = c;
  const x = cast(e, c.x(), "float32");
  const given = c.setting("mean") !== null && c.setting("mean") !== undefined;
  const setting = c.setting("axis") ?? -1;
  const axes = axesOf(e, x.shape.length, (Array.isArray(setting) ? setting : [setting]) as number[]);
  const shape = x.shape.map((dim, axis) => (axes.includes(axis) ? dim : 1));
  const [mean, variance] = (["mean", "variance"] as const).map((key, i) => {
    const flat = given ? constantOf(c, key, 0) : c.weight(key, i);
    const lengths = lengthsOf(shape);
    return flat.constant && flat.constant.size > 1 && lengths ? e.constant(flat.constant.reshape(lengths)) : flat;
  });
  const deviation = Float32Array.from(variance!.constant!.numbers(), (v) => Math.max(Math.sqrt(v), 1e-7));
  const scale = e.constant(Tensor.float32(variance!.constant!.shape, deviation));
  const [from, by] = c.flag("invert") ? (["Add", "Mul"] as const) : (["Sub", "Div"] as const);
  if (c.flag("invert")) return elementwise(e, from, [elementwise(e, by, [x, scale]), mean!]);
  return elementwise(e, by, [elementwise(e, from, [x, mean!]), scale]);
};

const leaky: Row = (c) =>
  unary(c.e, "LeakyRelu", c.x(), {
    alpha: float(c.number(c.setting("negative_slope") === undefined ? "alpha" : "negative_slope", 0.3)),
  });

export const plainLayers = {
  Dense: denseLayer,
  Activation: (c) => activated(c.e, c.x(), c.setting("activation"), c.parts.version),
  ReLU: relu,
  LeakyReLU: leaky,
  PReLU: (c) => elementwise(c.e, "PRelu", [c.x(), c.weight("alpha")]),
  ELU: (c) => unary(c.e, "Elu", c.x(), { alpha: float(c.number("alpha", 1)) }),
  ThresholdedReLU: (c) => unary(c.e, "ThresholdedRelu", c.x(), { alpha: float(c.number("theta", 1)) }),
  Softmax: softmax,
  LayerNormalization: layerNorm,
  GroupNormalization: groupNorm,
  UnitNormalization: unitNorm,
  RMSNormalization: rmsNorm,
  Add: merged("Add"),
  Multiply: merged("Mul"),
  Maximum: merged("Max"),
  Minimum: merged("Min"),
  Subtract: (c) => elementwise(c.e, "Sub", [c.x(0), c.x(1)]),
  Average: average,
  Concatenate: (c) => concat(c.e, c.parts.inputs.length > 0 ? c.parts.inputs : [c.x()], c.number("axis", -1)),
  Dot: dot,
  Reshape: reshaped,
  Flatten: flattened,
  Permute: permuted,
  RepeatVector: repeatVector,
  Embedding: embedding,
  Rescaling: rescaling,
  Normalization: normalization,
  // A factor for each channel, and branches that are left out in training alone: ConvNeXt's own layers.
  LayerScale: (c) => elementwise(c.e, "Mul", [c.x(), c.weight("gamma")]),
  StochasticDepth: same,
  // InceptionResNetV2's own: a branch that is scaled and added.
  CustomScaleLayer: (c) =>
    elementwise(c.e, "Add", [c.x(0), elementwise(c.e, "Mul", [c.x(1), c.e.numbers(c.number("scale"), "float32")])]),
  Dropout: same,
  SpatialDropout1D: same,
  SpatialDropout2D: same,
  SpatialDropout3D: same,
  AlphaDropout: same,
  GaussianDropout: same,
  GaussianNoise: same,
  ActivityRegularization: same,
  Identity: same,
  RandomFlip: same,
  RandomRotation: same,
  RandomZoom: same,
  RandomTranslation: same,
  RandomContrast: same,
  RandomBrightness: same,
} satisfies Record<string, Row>;
