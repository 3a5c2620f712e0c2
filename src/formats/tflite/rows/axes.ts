/** Operators along axes: reductions, softmax and norms, joining and splitting, picking by index. */
import type { Value } from "../../../ir/inner.ts";
import { type DType, dtypes } from "../../../tensor/inner.ts";
import {
  alongAxis,
  argument,
  axesOf,
  concat,
  cumulativeSum,
  gather,
  type Reduction,
  reduce,
  split,
  squeeze,
  stack,
  tile,
} from "../../channels-last/axes.ts";
import { cast, elementwise, unary } from "../../channels-last/elementwise.ts";
import { lengthsOf, storedAxis, type Term } from "../../channels-last/term.ts";
import type { Call, Row } from "../call.ts";

const reduction =
  (op: Reduction): Row =>
  (c) =>
    reduce(c.e, op, c.x(0), c.numbers(1, "axes"), c.options({ keeps: "bool" }).keeps);

/** Any and All: of numbers 0 and 1. */
const logical =
  (op: "ReduceMax" | "ReduceMin"): Row =>
  (c) => {
    const numbers = cast(c.e, c.x(0), "int32");
    return cast(c.e, reduce(c.e, op, numbers, c.numbers(1, "axes"), c.options({ keeps: "bool" }).keeps), "bool");
  };

const extreme =
  (op: "ArgMax" | "ArgMin"): Row =>
  (c) =>
    argument(c.e, op, c.x(0), c.number(1, "an axis"));

/** x / √max(Σx², ε) over the last axis, with TFLite's ε. */
const l2Normalization: Row = (c) => {
  const x = c.x();
  const squares = reduce(c.e, "ReduceSum", elementwise(c.e, "Mul", [x, x]), [-1], true);
  const length = unary(c.e, "Sqrt", elementwise(c.e, "Max", [squares, c.e.numbers(1e-12, x.dtype)]));
  return c.activated(elementwise(c.e, "Div", [x, length]), c.options({ activation: "i8" }).activation);
};

/** TFLite's radius and alpha are of single elements, ONNX's size and alpha of the window; both are over the channels. */
const localResponse: Row = (c) => {
  const o = c.options({ radius: "i32", bias: "f32", alpha: "f32", beta: "f32" });
  const x = c.x();
  if (x.shape.length !== 4) throw c.e.broken(`expected an image, got rank ${x.shape.length}`);
  const size = 2 * o.radius + 1;
  const order = [0, 3, 1, 2];
  const value = c.e.node("LRN", [c.e.value(x, order)], {
    size,
    alpha: { type: "float", value: o.alpha * size },
    beta: { type: "float", value: o.beta },
    bias: { type: "float", value: o.bias },
  }).output;
  return c.e.term(value, x.dtype, x.shape, order);
};

const softmax: Row = (c) => {
  const { beta } = c.options({ beta: "f32" });
  const x = c.x();
  return alongAxis(c.e, "Softmax", beta === 1 ? x : elementwise(c.e, "Mul", [x, c.e.numbers(beta, x.dtype)]), -1);
};

const topK: Row = (c) => {
  const x = c.x(0);
  const k = c.number(1, "a number of elements");
  const node = c.e.node("TopK", [c.e.value(x), c.e.ints([k])], { axis: -1 }, 2);
  const shape = [...x.shape.slice(0, -1), k];
  return [c.e.term(node.outputs[0]!, x.dtype, shape), c.e.term(node.outputs[1]!, "int64", shape)];
};

/** Slices of x by the last axis of indices. */
const gatherNd: Row = (c) => {
  const [x, indices] = [c.x(0), c.x(1)];
  const depth = indices.shape.at(-1);
  if (typeof depth !== "number") throw c.e.fail("expected a known number of indices");
  const whole = cast(c.e, indices, "int64");
  const value = c.e.node("GatherND", [c.e.value(x), c.e.value(whole)]).output;
  return c.e.term(value, x.dtype, [...indices.shape.slice(0, -1), ...x.shape.slice(depth)]);
};

const batchGather = (c: Call, x: Term, indices: Term, axis: number, batch: number): Term => {
  // With all axes before the picked one as batch, and only one of indices, ONNX's GatherND with batch axes says the same.
  if (axis !== batch) throw c.e.fail(`expected batch axes up to the picked one, got ${batch} before axis ${axis}`);
  const whole = cast(c.e, indices, "int64");
  const last = c.e.node("Unsqueeze", [c.e.value(whole), c.e.ints([indices.shape.length])]).output;
  const value = c.e.node("GatherND", [c.e.value(x), last], { batch_dims: batch }).output;
  return c.e.term(value, x.dtype, [...indices.shape, ...x.shape.slice(axis + 1)]);
};

/** Values at a place of an axis that is made anew, others elsewhere. */
const oneHot: Row = (c) => {
  const { axis } = c.options({ axis: "i32" });
  const [indices, depth] = [c.x(0), c.number(1, "a depth")];
  const [on, off] = [c.x(2), c.x(3)];
  const values = concat(
    c.e,
    [off, on].map((x) => c.e.term(c.e.node("Reshape", [c.e.value(x), c.e.ints([1])]).output, x.dtype, [1])),
    0,
  );
  const at = axis < 0 ? axis + indices.shape.length + 1 : axis;
  const whole = cast(c.e, indices, "int64");
  const value = c.e.node("OneHot", [c.e.value(whole), c.e.value(c.e.numbers(depth)), c.e.value(values)], {
    axis: at,
  }).output;
  return c.e.term(value, on.dtype, [...indices.shape.slice(0, at), depth, ...indices.shape.slice(at)]);
};

const reverse: Row = (c) => {
  const x = c.x(0);
  const axes = axesOf(c.e, x.shape.length, c.numbers(1, "axes")).map((axis) => storedAxis(x, axis));
  const [from, to] = [-1, -(2 ** 31 - 1)].map((end) => c.e.ints(axes.map(() => end)));
  const value = c.e.node("Slice", [
    c.e.value(x, x.order),
    from!,
    to!,
    c.e.ints(axes),
    c.e.ints(axes.map(() => -1)),
  ]).output;
  return c.e.term(value, x.dtype, x.shape, x.order);
};

/** Zeros of a shape that a file names: at most as many as a tensor of numbers may have. */
function zeros(c: Call, shape: readonly number[], dtype: DType): Value {
  const size = shape.reduce((a, b) => a * b, 1);
  if (!(shape.every((length) => Number.isSafeInteger(length) && length >= 0) && size <= 2 ** 28)) {
    throw c.e.broken(`expected a shape of at most 2²⁸ elements, got [${shape.slice(0, 20).join(",")}]`);
  }
  const made = c.e.node("ConstantOfShape", [c.e.ints(shape)]).output;
  return dtype === "float32" ? made : c.e.node("Cast", [made], { to: dtypes[dtype].onnx }).output;
}

/** Sums of rows that belong together: added into zeros at the numbers of their segments. */
function segmentSum(c: Call, segments: number): Term {
  const [x, ids] = [c.x(0), cast(c.e, c.x(1), "int64")];
  const rest = lengthsOf(x.shape.slice(1));
  if (!rest) throw c.e.fail("expected known lengths of segments");
  const shape = [segments, ...rest];
  const at = c.e.node("Unsqueeze", [c.e.value(ids), c.e.ints([1])]).output;
  const node = c.e.node("ScatterND", [zeros(c, shape, x.dtype), at, c.e.value(x)], { reduction: "add" });
  return c.e.term(node.output, x.dtype, shape);
}

export const axisRows = {
  SUM: reduction("ReduceSum"),
  MEAN: reduction("ReduceMean"),
  REDUCE_MAX: reduction("ReduceMax"),
  REDUCE_MIN: reduction("ReduceMin"),
  REDUCE_PROD: reduction("ReduceProd"),
  REDUCE_ANY: logical("ReduceMax"),
  REDUCE_ALL: logical("ReduceMin"),
  ARG_MAX: extreme("ArgMax"),
  ARG_MIN: extreme("ArgMin"),
  SOFTMAX: softmax,
  LOG_SOFTMAX: (c) => alongAxis(c.e, "LogSoftmax", c.x(), -1),
  L2_NORMALIZATION: l2Normalization,
  LOCAL_RESPONSE_NORMALIZATION: localResponse,
  CUMSUM: (c) => cumulativeSum(c.e, c.x(0), c.number(1, "an axis"), c.options({ exclusive: "bool", reverse: "bool" })),
  CONCATENATION: (c) => {
    const { axis, activation } = c.options({ axis: "i32", activation: "i8" });
    return c.activated(concat(c.e, c.all(), axis), activation);
  },
  PACK: (c) => stack(c.e, c.all(), c.options({ count: "i32", axis: "i32" }).axis),
  UNPACK: (c) => {
    const { count, axis } = c.options({ count: "i32", axis: "i32" });
    const parts = split(c.e, c.x(), axis, Array<number>(Math.min(count, c.op.outputs.length)).fill(1));
    return parts.map((part) => squeeze(c.e, part, [axis]));
  },
  SPLIT: (c) => {
    const x = c.x(1);
    const axis = c.number(0, "an axis");
    const length = x.shape[axis < 0 ? axis + x.shape.length : axis];
    const parts = c.op.outputs.length;
    if (typeof length !== "number") throw c.e.fail("expected a known length of the axis that is split");
    return split(c.e, x, axis, Array<number>(parts).fill(length / parts));
  },
  SPLIT_V: (c) => {
    const x = c.x(0);
    const [lengths, axis] = [c.numbers(1, "lengths of parts"), c.number(2, "an axis")];
    const whole = x.shape[axis < 0 ? axis + x.shape.length : axis];
    const rest = lengths.reduce((sum, length) => sum + Math.max(length, 0), 0);
    return split(
      c.e,
      x,
      axis,
      lengths.map((length) => (length === -1 && typeof whole === "number" ? whole - rest : length)),
    );
  },
  TILE: (c) => tile(c.e, c.x(0), c.numbers(1, "numbers of repeats")),
  GATHER: (c) => {
    const { axis, batch } = c.options({ axis: "i32", batch: "i32" });
    const x = c.x(0);
    const rank = x.shape.length;
    const from = batch < 0 ? batch + c.x(1).shape.length : batch;
    return from === 0 ? gather(c.e, x, c.x(1), axis) : batchGather(c, x, c.x(1), axis < 0 ? axis + rank : axis, from);
  },
  EMBEDDING_LOOKUP: (c) => gather(c.e, c.x(1), c.x(0), 0),
  GATHER_ND: gatherNd,
  TOPK_V2: topK,
  ONE_HOT: oneHot,
  REVERSE_V2: reverse,
  SEGMENT_SUM: (c) => segmentSum(c, 1 + Math.max(-1, ...c.numbers(1, "numbers of segments"))),
  UNSORTED_SEGMENT_SUM: (c) => segmentSum(c, c.number(2, "a number of segments")),
  SCATTER_ND: (c) => {
    const [updates, shape] = [c.x(1), c.numbers(2, "a shape")];
    const at = c.e.value(cast(c.e, c.x(0), "int64"));
    const node = c.e.node("ScatterND", [zeros(c, shape, updates.dtype), at, c.e.value(updates)], { reduction: "add" });
    return c.e.term(node.output, updates.dtype, shape);
  },
  REVERSE_SEQUENCE: (c) => {
    const { time, batch } = c.options({ time: "i32", batch: "i32" });
    const x = c.x(0);
    // ONNX knows time and batch as the first two axes only.
    if (time + batch !== 1) throw c.e.fail(`expected time and batch as the first two axes, got ${time} and ${batch}`);
    const lengths = cast(c.e, c.x(1), "int64");
    const node = c.e.node("ReverseSequence", [c.e.value(x), c.e.value(lengths)], {
      time_axis: time,
      batch_axis: batch,
    });
    return c.e.term(node.output, x.dtype, x.shape);
  },
} satisfies Record<string, Row>;
