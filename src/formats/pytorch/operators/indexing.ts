/** ATen's operators that look up and write by index. */
import type { Dim } from "../../../ir/inner.ts";
import type { Term } from "../../channels-last/term.ts";
import type { Call, Row } from "../call.ts";

const wholeNumbers = (c: Call, name: string) => c.cast(c.t(name), "int64");

const embedding: Row = (c) => c.give("Gather", [c.t("weight"), wholeNumbers(c, "indices")], { axis: 0 });

const indexSelect: Row = (c) => {
  const self = c.t("self");
  return c.give("Gather", [self, wholeNumbers(c, "index")], { axis: c.axis("dim", self.shape.length) });
};

const gather: Row = (c) => {
  const self = c.t("self");
  const axis = c.axis("dim", self.shape.length);
  return c.give("GatherElements", [self, wholeNumbers(c, c.has("index") ? "index" : "indices")], { axis });
};

const scatter =
  (reduction?: string): Row =>
  (c) => {
    const self = c.t("self");
    const index = wholeNumbers(c, "index");
    const axis = c.axis("dim", self.shape.length);
    const source = c.has("src") ? c.operand("src", self.dtype) : c.operand("value", self.dtype);
    const values = source.shape.length === 0 ? c.emit("Expand", [source, c.shapeOf(index)]).output : c.value(source);
    return c.give("ScatterElements", [self, index, values], { axis, ...(reduction ? { reduction } : {}) });
  };

interface Indexed {
  /** Axes of the tensor that have an index, in order. */
  readonly axes: readonly number[];
  readonly indices: readonly Term[];
  /** What their indices broadcast to. */
  readonly shape: readonly Dim[];
}

function indexed(c: Call): Indexed {
  const given = c.tensors("indices");
  const axes = given.flatMap((term, axis) => (term ? [axis] : []));
  const indices = axes.map((axis) => {
    const term = given[axis]!;
    if (term.dtype === "bool" || term.dtype === "uint8") throw c.fail("a mask as an index");
    return c.cast(term, "int64");
  });
  const rank = Math.max(0, ...indices.map(({ shape }) => shape.length));
  const shape = Array.from({ length: rank }, (_, i): Dim => {
    const lengths = indices.map((term) => term.shape[term.shape.length - rank + i] ?? 1);
    return lengths.find((length) => length !== 1) ?? 1;
  });
  return { axes, indices, shape };
}

/** All indices next to each other on a last axis, as GatherND and ScatterND want them. */
function places(c: Call, { indices, shape }: Indexed) {
  const longest = indices.find(
    (term) => term.shape.length === shape.length && term.shape.every((d, i) => d === shape[i]),
  );
  // Negative indices count from the end in ONNX, too.
  const parts = indices.map((term) => {
    const whole = longest
      ? longest === term
        ? c.value(term)
        : c.emit("Expand", [term, c.shapeOf(longest)]).output
      : c.emit("Expand", [term, c.vector(shape.map((dim) => knownLength(c, dim)))]).output;
    return c.emit("Unsqueeze", [whole, c.e.ints([-1])]).output;
  });
  return parts.length === 1 ? parts[0]! : c.emit("Concat", parts, { axis: -1 }).output;
}

function knownLength(c: Call, dim: Dim): number {
  if (typeof dim === "number") return dim;
  throw c.fail("indices whose lengths depend on the input");
}

/** x[:, i, j]: the indexed axes go to the front and what comes out of them back to where the first of them was. */
const index: Row = (c) => {
  const self = c.t("self");
  const found = indexed(c);
  const { axes, indices, shape } = found;
  if (axes.length === 0) return self;
  if (axes.length === 1) return c.give("Gather", [self, indices[0]!], { axis: axes[0]! });
  const others = self.shape.map((_, i) => i).filter((axis) => !axes.includes(axis));
  const front = c.transpose(self, [...axes, ...others]);
  const picked = c.e.term(c.emit("GatherND", [front, places(c, found)]).output, self.dtype, [
    ...shape,
    ...others.map((axis) => self.shape[axis]!),
  ]);
  const isTogether = axes.every((axis, i) => i === 0 || axis === axes[i - 1]! + 1);
  const before = isTogether ? others.filter((axis) => axis < axes[0]!).length : 0;
  const rank = shape.length;
  const perm = [
    ...Array.from({ length: before }, (_, i) => rank + i),
    ...Array.from({ length: rank }, (_, i) => i),
    ...Array.from({ length: others.length - before }, (_, i) => rank + before + i),
  ];
  return c.wrap(c.value(c.transpose(picked, perm)));
};

/** x[i, j] = values: of the first axes. */
const indexPut: Row = (c) => {
  const self = c.t("self");
  const found = indexed(c);
  const { axes, shape } = found;
  if (!axes.every((axis, i) => axis === i)) throw c.fail("indices behind an axis that has none");
  const rest = self.shape.slice(axes.length);
  const values = c.operand("values", self.dtype);
  const target = [...shape, ...rest].map((dim) => knownLength(c, dim));
  const spread = c.emit("Expand", [values, c.e.ints(target)]).output;
  const attributes = c.bool("accumulate", false) ? { reduction: "add" } : {};
  return c.give("ScatterND", [self, places(c, found), spread], attributes);
};

/** A slice, or one place, of a copy is replaced. */
const sliceScatter: Row = (c) => {
  const self = c.t("self");
  const axis = c.axis("dim", self.shape.length, 0);
  const length = self.shape[axis];
  if (typeof length !== "number") throw c.fail("a length that depends on the input");
  const bound = (name: string, otherwise: number) => {
    const n = c.has(name) ? c.number(name) : otherwise;
    return Math.min(Math.max(n < 0 ? n + length : n, 0), length);
  };
  const [start, end, step] = [bound("start", 0), bound("end", length), c.number("step", 1)];
  const at = Array.from({ length: Math.max(0, Math.ceil((end - start) / step)) }, (_, i) => start + i * step);
  return written(c, self, axis, at, c.cast(c.t("src"), self.dtype));
};

const selectScatter: Row = (c) => {
  const self = c.t("self");
  const axis = c.axis("dim", self.shape.length);
  const length = self.shape[axis];
  const at = c.number("index");
  if (typeof length !== "number") throw c.fail("a length that depends on the input");
  const source = c.cast(c.t("src"), self.dtype);
  const shape = [...source.shape.slice(0, axis), 1, ...source.shape.slice(axis)];
  const wide = c.mid("Unsqueeze", [source, c.e.ints([axis])], {}, self.dtype, shape);
  return written(c, self, axis, [at < 0 ? at + length : at], wide);
};

function written(c: Call, self: Term, axis: number, at: readonly number[], source: Term): Term {
  const places = c.e.numbers(at, "int64", [at.length]);
  const shape = self.shape.map((_, i) => (i === axis ? at.length : 1));
  const wide = c.reshape(places, shape);
  const index = c.emit("Expand", [wide, c.shapeOf(source)]).output;
  return c.give("ScatterElements", [self, index, source], { axis });
}

/** Places of what is not zero: [count, rank]. */
const nonzero: Row = (c) => c.give("Transpose", [c.emit("NonZero", [c.t("self")]).output], { perm: [1, 0] });

const oneHot: Row = (c) => {
  const classes = c.number("num_classes", -1);
  if (classes < 1) throw c.fail("as many classes as the input has");
  return c.give("OneHot", [c.t("self"), c.e.ints([classes]), c.e.ints([0, 1])], { axis: -1 });
};

export const indexing: Readonly<Record<string, Row>> = {
  embedding,
  index_select: indexSelect,
  gather,
  scatter: scatter(),
  scatter_add: scatter("add"),
  index,
  index_put: indexPut,
  slice_scatter: sliceScatter,
  select_scatter: selectScatter,
  nonzero,
  one_hot: oneHot,
  take_along_dim: gather,
};
