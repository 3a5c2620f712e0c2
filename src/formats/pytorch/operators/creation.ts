/** ATen's operators that make tensors: constants, ranges, and what is filled. */
import { type DType, dtypes } from "../../../tensor/inner.ts";
import type { Term } from "../../channels-last/term.ts";
import { lengthsOf } from "../../channels-last/term.ts";
import type { Call, Row, Whole } from "../call.ts";

/** One number everywhere. */
function filled(c: Call, value: Term, wholes: readonly Whole[] | undefined): Term {
  const lengths = lengthsOf(c.out().shape);
  if (lengths?.length === 0) return value;
  if (!lengths && !wholes) throw c.fail("lengths that depend on the input");
  return c.give("Expand", [value, c.vector(lengths ?? wholes!)]);
}

const full =
  (value: number | string): Row =>
  (c) => {
    const { dtype } = c.out();
    const number = typeof value === "string" ? c.operand(value, dtype) : c.scalar(value, dtype);
    return filled(c, number, c.wholes("size"));
  };

const like =
  (value: number | string): Row =>
  (c) => {
    const { dtype } = c.out();
    const self = c.t("self");
    const number = typeof value === "string" ? c.operand(value, dtype) : c.scalar(value, dtype);
    return filled(
      c,
      number,
      self.shape.map((_, axis) => c.length(self, axis)),
    );
  };

const arange: Row = (c) => {
  const { dtype } = c.out();
  const bounds = ["start", "end", "step"].map((name, i) => {
    const whole = c.maybeWhole(name);
    return whole ?? c.number(name, i === 2 ? 1 : 0);
  });
  const [start, end, step] = bounds;
  if (typeof start === "number" && typeof end === "number" && typeof step === "number" && step !== 0) {
    const count = Math.max(0, Math.ceil((end - start) / step));
    if (count <= 2 ** 16)
      return c.e.numbers(
        Array.from({ length: count }, (_, i) => start + i * step),
        dtype,
        [count],
      );
  }
  const inner: DType = dtypes[dtype].kind === "float" ? dtype : "int64";
  const inputs = bounds.map((bound) =>
    typeof bound === "number" ? c.scalar(bound, inner) : c.cast(c.e.term(bound, "int64", []), inner),
  );
  const range = c.e.term(c.emit("Range", inputs).output, inner, c.out().shape);
  return c.cast(range, dtype);
};

const linspace: Row = (c) => {
  const { dtype } = c.out();
  const [start, end, steps] = [c.number("start"), c.number("end"), c.number("steps")];
  if (!(steps >= 0 && steps <= 2 ** 16)) throw c.fail(`${steps} steps`);
  const step = steps > 1 ? (end - start) / (steps - 1) : 0;
  return c.e.numbers(
    Array.from({ length: steps }, (_, i) => start + i * step),
    dtype,
    [steps],
  );
};

export const creation: Readonly<Record<string, Row>> = {
  full: full("fill_value"),
  zeros: full(0),
  ones: full(1),
  empty: full(0),
  empty_permuted: full(0),
  full_like: like("fill_value"),
  zeros_like: like(0),
  ones_like: like(1),
  empty_like: like(0),
  fill: like("value"),
  zero: like(0),
  new_full: full("fill_value"),
  new_zeros: full(0),
  new_ones: full(1),
  new_empty: full(0),
  scalar_tensor: (c) => c.operand("s", c.out().dtype),
  arange,
  linspace,
  eye: (c) => {
    const lengths = lengthsOf(c.out().shape);
    if (!lengths) throw c.fail("lengths that depend on the input");
    const { dtype } = c.out();
    const zeros = c.emit("Expand", [c.scalar(0, dtype), c.e.ints(lengths)]).output;
    return c.give("EyeLike", [zeros], { dtype: dtypes[dtype].onnx });
  },
};
