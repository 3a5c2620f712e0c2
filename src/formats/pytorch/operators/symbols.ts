/** Whole numbers of exported programs: lengths, and what is computed from them. */
import type { Value } from "../../../ir/inner.ts";
import type { Call, Row, Whole } from "../call.ts";

/** Positional arguments without names: in the order of the node. */
function operands(c: Call): Whole[] {
  return [...c.node.inputs.keys()].map((name) => {
    const whole = c.maybeWhole(name);
    if (whole !== undefined) return whole;
    throw c.fail("a number that is no whole number");
  });
}

const arithmetic =
  (op: string, known: (a: number, b: number) => number): Row =>
  (c) => {
    const [a, b] = operands(c);
    if (a === undefined || b === undefined) throw c.fail("one number alone");
    if (typeof a === "number" && typeof b === "number") return { whole: known(a, b) };
    const scalar = (whole: Whole): Value => (typeof whole === "number" ? c.value(c.e.numbers(whole)) : whole);
    return { whole: c.e.node(op, [scalar(a), scalar(b)]).output };
  };

/** What is only checked when PyTorch runs, and what answers a question that nobody asks in the graph. */
const nothing: Row = () => undefined;

export const symbols: Readonly<Record<string, Row>> = {
  "aten.sym_size": (c) => ({ whole: c.length(c.t("self"), c.axis("dim", c.t("self").shape.length)) }),
  "aten.sym_numel": (c) => ({ whole: c.e.node("Size", [c.value(c.t("self"))]).output }),
  "_operator.add": arithmetic("Add", (a, b) => a + b),
  "_operator.sub": arithmetic("Sub", (a, b) => a - b),
  "_operator.mul": arithmetic("Mul", (a, b) => a * b),
  "_operator.floordiv": arithmetic("Div", (a, b) => Math.floor(a / b)),
  "_operator.mod": arithmetic("Mod", (a, b) => ((a % b) + b) % b),
  "torch.sym_max": arithmetic("Max", Math.max),
  "torch.sym_min": arithmetic("Min", Math.min),
  "_operator.eq": nothing,
  "_operator.ne": nothing,
  "_operator.lt": nothing,
  "_operator.le": nothing,
  "_operator.gt": nothing,
  "_operator.ge": nothing,
  "_operator.and_": nothing,
  "_operator.or_": nothing,
  "aten._assert_scalar": nothing,
  "aten._assert_async": nothing,
  "aten._assert_tensor_metadata": nothing,
  "aten.sym_constrain_range": nothing,
  "aten.sym_constrain_range_for_size": nothing,
};
