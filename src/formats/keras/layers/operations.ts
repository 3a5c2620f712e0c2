/** Operations that stand among layers: arithmetic that a functional model does with its tensors (Keras 2's TFOpLambda, Keras 3's ops). */
import { Tensor } from "../../../tensor/inner.ts";
import { concat, type Reduction, reduce } from "../../channels-last/axes.ts";
import { elementwise, unary } from "../../channels-last/elementwise.ts";
import { reshape, transpose } from "../../channels-last/reshape.ts";
import type { Term } from "../../channels-last/term.ts";
import { activated, activations } from "../activations.ts";
import { isTerm, type LayerCall } from "../call.ts";

const binary: Readonly<Record<string, string>> = {
  add: "Add",
  subtract: "Sub",
  sub: "Sub",
  multiply: "Mul",
  mul: "Mul",
  divide: "Div",
  truediv: "Div",
  truedivide: "Div",
  maximum: "Max",
  minimum: "Min",
  power: "Pow",
  pow: "Pow",
};

const single: Readonly<Record<string, string>> = {
  exp: "Exp",
  log: "Log",
  sqrt: "Sqrt",
  abs: "Abs",
  absolute: "Abs",
  negative: "Neg",
  neg: "Neg",
  sin: "Sin",
  cos: "Cos",
  floor: "Floor",
  ceil: "Ceil",
};

const reductions: Readonly<Record<string, Reduction>> = {
  mean: "ReduceMean",
  reduce_mean: "ReduceMean",
  sum: "ReduceSum",
  reduce_sum: "ReduceSum",
  max: "ReduceMax",
  reduce_max: "ReduceMax",
  min: "ReduceMin",
  reduce_min: "ReduceMin",
};

/** All operations that are known, for the page about Keras. */
export const operationNames: readonly string[] = [
  ...Object.keys(binary),
  ...Object.keys(single),
  ...Object.keys(reductions),
  ...Object.keys(activations),
  "square",
  "concat",
  "concatenate",
  "reshape",
  "transpose",
];

/** An argument by position or name. */
const argument = (c: LayerCall, position: number, ...keys: string[]): unknown =>
  c.parts.args[position] ??
  keys.map((key) => c.parts.kwargs[key] ?? c.setting(key)).find((value) => value !== undefined);

function operand(c: LayerCall, value: unknown, dtype: Term["dtype"]): Term {
  if (isTerm(value)) return value;
  const list = Array.isArray(value) ? (value.flat(9) as unknown[]) : [value];
  if (!list.every((one) => typeof one === "number" && Number.isFinite(one)))
    throw c.e.fail("expected tensors and numbers as operands");
  return list.length === 1
    ? c.e.numbers(list[0] as number, dtype)
    : c.e.constant(Tensor.float32([list.length], list as number[]));
}

/** The operation of this name: the last part of tf.math.add, keras.src.ops.numpy.Add. */
export function operation(c: LayerCall, name: string): Term {
  const { e } = c;
  const key = name.split(".").at(-1)!.toLowerCase();
  if (Object.hasOwn(binary, key)) {
    const values = [argument(c, 0, "x", "x1", "a"), argument(c, 1, "y", "x2", "b")];
    const dtype = values.find(isTerm)?.dtype ?? "float32";
    return elementwise(
      e,
      binary[key]!,
      values.map((value) => operand(c, value, dtype)),
    );
  }
  const x = c.x();
  if (Object.hasOwn(single, key)) return unary(e, single[key]!, x);
  if (key === "square") return elementwise(e, "Mul", [x, x]);
  if (Object.hasOwn(reductions, key)) {
    const axis = argument(c, 1, "axis");
    const axes =
      axis === null || axis === undefined
        ? x.shape.map((_, i) => i)
        : ((Array.isArray(axis) ? axis : [axis]) as number[]);
    return reduce(e, reductions[key]!, x, axes, argument(c, 2, "keepdims") === true);
  }
  if (key === "concat" || key === "concatenate") {
    const axis = argument(c, 1, "axis");
    return concat(e, c.parts.inputs, typeof axis === "number" ? axis : -1);
  }
  const list = argument(c, 1, "newshape", "shape", "perm", "axes");
  if (
    (key === "reshape" || key === "transpose") &&
    Array.isArray(list) &&
    list.every((one) => Number.isSafeInteger(one))
  ) {
    return key === "reshape" ? reshape(e, x, list as number[]) : transpose(e, x, list as number[]);
  }
  if (Object.hasOwn(activations, key)) return activated(e, x, key, c.parts.version);
  throw e.fail(`expected an operation that is known, got ${name}`);
}
