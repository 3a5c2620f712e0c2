/** Reductions along axes. */
import { alongAxis, axesOf, cumulativeSum, type Reduction, reduce } from "../../channels-last/axes.ts";
import { cast } from "../../channels-last/elementwise.ts";
import { sourceOrder } from "../../channels-last/term.ts";
import type { Call, Family, OperatorRow } from "../call.ts";

const axesGiven = (call: Call): readonly number[] =>
  call.term(1).shape.length === 0 ? [call.number(1, "an axis")] : call.numbers(1, "axes");

const keeps = (call: Call) => call.attributes.flag("keep_dims");

const reduced = (op: Reduction): OperatorRow => ({
  emit: (call) => reduce(call.e, op, call.term(0), axesGiven(call), keeps(call)),
});

/** Of truth values: the least or the largest of zeros and ones. */
const truth = (op: "ReduceMin" | "ReduceMax"): OperatorRow => ({
  emit: (call) =>
    cast(call.e, reduce(call.e, op, cast(call.e, call.term(0), "int32"), axesGiven(call), keeps(call)), "bool"),
});

export const reductionRows: Family = {
  Sum: reduced("ReduceSum"),
  Mean: reduced("ReduceMean"),
  Max: reduced("ReduceMax"),
  Min: reduced("ReduceMin"),
  Prod: reduced("ReduceProd"),
  EuclideanNorm: reduced("ReduceL2"),
  All: truth("ReduceMin"),
  Any: truth("ReduceMax"),
  Softmax: { emit: (call) => alongAxis(call.e, "Softmax", call.term(0), -1) },
  LogSoftmax: { emit: (call) => alongAxis(call.e, "LogSoftmax", call.term(0), -1) },
  Cumsum: {
    emit: (call) => {
      const { attributes } = call;
      return cumulativeSum(call.e, call.term(0), call.number(1, "an axis"), {
        exclusive: attributes.flag("exclusive"),
        reverse: attributes.flag("reverse"),
      });
    },
  },
  MatrixBandPart: {
    emit: (call) => {
      const { e } = call;
      const x = call.term(0);
      const [lower, upper] = [call.number(1, "a band"), call.number(2, "a band")];
      axesOf(e, x.shape.length, [-1, -2]);
      let value = e.value(x, sourceOrder(x.shape.length));
      if (lower >= 0) value = e.node("Trilu", [value, e.value(e.numbers(-lower))], { upper: 1 }).output;
      if (upper >= 0) value = e.node("Trilu", [value, e.value(e.numbers(upper))], { upper: 0 }).output;
      return value === x.value ? x : e.term(value, x.dtype, x.shape);
    },
  },
};
