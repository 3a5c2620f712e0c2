/** ATen's reductions, and what sorts. */
import type { Value } from "../../../ir/inner.ts";
import { type DType, dtypes } from "../../../tensor/inner.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Row } from "../call.ts";

/** The axes that are reduced, as an input; null for all. */
function axesOf(c: Call, name = "dim"): Value | null {
  const axes = c.ints(name, []);
  return axes.length === 0 ? null : c.e.ints(axes);
}

const keep = (c: Call) => ({ keepdims: Number(c.bool("keepdim", false)) });

const reduce =
  (op: string): Row =>
  (c) =>
    c.give(op, [c.cast(c.t("self"), c.out().dtype), axesOf(c)], keep(c));

/** The largest or the smallest: of all, of two tensors, or with its place on an axis. */
const extreme =
  (op: "Max" | "Min"): Row =>
  (c) => {
    if (c.has("other")) return c.give(op, [c.operand("self", c.out().dtype), c.operand("other", c.out().dtype)]);
    if (!c.has("dim")) return c.give(`Reduce${op}`, [c.t("self")], { keepdims: 0 });
    const axis = c.axis("dim", c.t("self").shape.length);
    const values = c.give(`Reduce${op}`, [c.t("self"), c.e.ints([axis])], keep(c), 0);
    return [values, c.outputs[1] ? c.give(`Arg${op}`, [c.t("self")], { axis, ...keep(c) }, 1) : undefined];
  };

const place =
  (op: "ArgMax" | "ArgMin"): Row =>
  (c) => {
    const self = c.t("self");
    if (c.has("dim")) return c.give(op, [self], { axis: c.axis("dim", self.shape.length), ...keep(c) });
    const flat = c.emit("Reshape", [self, c.e.ints([-1])]).output;
    return c.give(op, [flat], { axis: 0, keepdims: 0 });
  };

/** Truth values as numbers, reduced, and back. */
const truth =
  (op: "ReduceMax" | "ReduceMin"): Row =>
  (c) => {
    const numbers = c.cast(c.cast(c.t("self"), "bool"), "int32");
    return c.give("Cast", [c.emit(op, [numbers, axesOf(c)], keep(c)).output], { to: dtypes.bool.onnx });
  };

/** Σ (x − mean)² / (n − correction). */
function variance(c: Call): { readonly variance: Value; readonly mean: Value } {
  const self = c.t("self");
  const axes = axesOf(c);
  const dims = c.ints("dim", []);
  const over = dims.length === 0 ? self.shape.map((_, i) => i) : dims.map((axis) => c.axisOf(axis, self.shape.length));
  const lengths = over.map((axis) => self.shape[axis]!);
  const correction = c.has("correction") ? c.number("correction") : Number(c.bool("unbiased", true));
  const mean = c.emit("ReduceMean", [self, axes], { keepdims: 1 }).output;
  const off = c.emit("Sub", [self, mean]).output;
  const square = c.emit("Mul", [off, off]).output;
  const kept = c.emit("ReduceMean", [self, axes], keep(c)).output;
  if (correction === 0) return { variance: c.emit("ReduceMean", [square, axes], keep(c)).output, mean: kept };
  const count = lengths.reduce<number>((product, length) => {
    if (typeof length !== "number") throw c.fail("a variance over a length that depends on the input");
    return product * length;
  }, 1);
  const total = c.emit("ReduceSum", [square, axes], keep(c)).output;
  const divided = c.emit("Div", [total, c.scalar(Math.max(0, count - correction), self.dtype)]).output;
  return { variance: divided, mean: kept };
}

const cumulate: Row = (c) => {
  const { dtype, shape } = c.out();
  const self = c.cast(c.t("self"), dtype);
  return c.give("CumSum", [self, c.e.numbers(c.axis("dim", shape.length))]);
};

function ranked(c: Call, count: Value, largest: boolean): readonly Value[] {
  const self = c.t("self");
  const axis = c.axis("dim", self.shape.length, -1);
  return c.emit("TopK", [self, count], { axis, largest: Number(largest), sorted: 1 }, 2).outputs;
}

const topk: Row = (c) => {
  const count = c.maybeWhole("k") ?? 1;
  const [values, indices] = ranked(c, c.vector([count]), c.bool("largest", true));
  return [c.wrap(values!, 0), c.wrap(indices!, 1)];
};

function sorted(c: Call): readonly Value[] {
  const self = c.t("self");
  const axis = c.axis("dim", self.shape.length, -1);
  return ranked(c, c.vector([c.length(self, axis)]), c.bool("descending", false));
}

const widened = (c: Call, dtype: DType): Term => c.cast(c.t("self"), dtype);

export const reductions: Readonly<Record<string, Row>> = {
  mean: reduce("ReduceMean"),
  sum: reduce("ReduceSum"),
  prod: (c) => c.give("ReduceProd", [widened(c, c.out().dtype), axesOf(c)], keep(c)),
  amax: reduce("ReduceMax"),
  amin: reduce("ReduceMin"),
  max: extreme("Max"),
  min: extreme("Min"),
  argmax: place("ArgMax"),
  argmin: place("ArgMin"),
  any: truth("ReduceMax"),
  all: truth("ReduceMin"),
  logsumexp: reduce("ReduceLogSumExp"),
  var: (c) => c.wrap(variance(c).variance),
  std: (c) => c.give("Sqrt", [variance(c).variance]),
  var_mean: (c) => {
    const { variance: spread, mean } = variance(c);
    return [c.wrap(spread, 0), c.wrap(mean, 1)];
  },
  std_mean: (c) => {
    const { variance: spread, mean } = variance(c);
    return [c.give("Sqrt", [spread], {}, 0), c.wrap(mean, 1)];
  },
  cumsum: cumulate,
  topk,
  sort: (c) => {
    const [values, indices] = sorted(c);
    return [c.wrap(values!, 0), c.wrap(indices!, 1)];
  },
  argsort: (c) => c.wrap(sorted(c)[1]!),
};
