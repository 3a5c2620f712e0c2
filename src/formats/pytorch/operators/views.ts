/** ATen's operators that move, cut and join data. */
import type { Dim } from "../../../ir/inner.ts";
import { lengthsOf, type Term } from "../../channels-last/term.ts";
import type { Call, Row, Whole } from "../call.ts";

const same: Row = (c) => c.cast(c.has("self") ? c.t("self") : c.t("input"), c.out().dtype);

/** To the lengths that the program says; computed where more than one of them depends on the input. */
function shaped(c: Call, self: Term, wholes?: readonly Whole[]): Term {
  const { shape } = c.out();
  const unknown = shape.filter((dim) => typeof dim !== "number").length;
  if (unknown === 0 || (unknown === 1 && !shape.includes(0))) return c.reshape(self, shape, 0);
  if (!wholes) throw c.fail("several lengths depend on the input");
  return c.give("Reshape", [self, c.vector(wholes)]);
}

const view: Row = (c) => {
  if (c.overload === "dtype") throw c.fail("bytes seen as another type");
  return shaped(c, c.t("self"), c.wholes(c.has("size") ? "size" : "shape"));
};

const flatten: Row = (c) => {
  const self = c.t("self");
  const rank = self.shape.length;
  const [start, end] = [c.axis("start_dim", rank, 0), c.axis("end_dim", rank, -1)];
  const lengths = self.shape.map((_, axis) => c.length(self, axis));
  return shaped(c, self, [...lengths.slice(0, start), -1, ...lengths.slice(end + 1)]);
};

const unflatten: Row = (c) => {
  const self = c.t("self");
  const axis = c.axis("dim", self.shape.length);
  const lengths = self.shape.map((_, i) => c.length(self, i));
  return shaped(c, self, [...lengths.slice(0, axis), ...c.wholes("sizes"), ...lengths.slice(axis + 1)]);
};

const squeeze: Row = (c) => {
  const self = c.t("self");
  const rank = self.shape.length;
  const asked = c.has("dim") ? c.ints("dim").map((axis) => c.axisOf(axis, rank)) : self.shape.map((_, i) => i);
  const axes = asked.filter((axis) => self.shape[axis] === 1);
  return axes.length === 0 ? c.give("Identity", [self]) : c.give("Squeeze", [self, c.e.ints(axes)]);
};

const unsqueeze: Row = (c) => {
  const axis = c.axis("dim", c.t("self").shape.length + 1);
  return c.give("Unsqueeze", [c.t("self"), c.e.ints([axis])]);
};

const permute: Row = (c) => {
  const self = c.t("self");
  return c.wrap(
    c.value(
      c.transpose(
        self,
        c.ints("dims").map((axis) => c.axisOf(axis, self.shape.length)),
      ),
    ),
  );
};

const transpose: Row = (c) => {
  const self = c.t("self");
  const rank = self.shape.length;
  const perm = self.shape.map((_, i) => i);
  if (rank < 2) return self;
  const names = ["dim", "axis"].map((name) => [`${name}0`, `${name}1`] as const).find(([first]) => c.has(first));
  const [a, b] = names ? [c.axis(names[0], rank), c.axis(names[1], rank)] : [0, 1];
  perm[a] = b;
  perm[b] = a;
  return c.transpose(self, perm);
};

/** The last two axes. */
const matrices: Row = (c) => {
  const self = c.t("self");
  const perm = self.shape.map((_, i) => i);
  perm.push(...perm.splice(-2).reverse());
  return c.transpose(self, perm);
};

/** Vectors as axes of one grid; "xy" swaps the first two. */
const meshgrid: Row = (c) => {
  const vectors = c.list("tensors");
  const isSwapped = c.text("indexing", "ij") === "xy" && vectors.length > 1;
  const axisOf = (i: number) => (isSwapped && i < 2 ? 1 - i : i);
  const lengths = vectors.map((_, axis) => {
    const i = axisOf(axis);
    return vectors[i]!.shape.length === 0 ? 1 : c.length(vectors[i]!, 0);
  });
  return vectors.map((vector, i) => {
    const to = vectors.map((_, axis) => (axis === axisOf(i) ? -1 : 1));
    const wide = c.emit("Reshape", [vector, c.e.ints(to)]).output;
    return c.give("Expand", [wide, c.vector(lengths)], {}, i);
  });
};

/** Each element less the one before it, once. */
const diff: Row = (c) => {
  const { dtype } = c.out();
  if (c.number("n", 1) !== 1 || dtype === "bool") throw c.fail("differences of differences, or of truth values");
  const self = c.t("self");
  const axis = c.axis("dim", self.shape.length, -1);
  const parts = [c.maybe("prepend"), self, c.maybe("append")].flatMap((part) => part ?? []);
  const all = parts.length === 1 ? self : c.emit("Concat", parts, { axis }).output;
  const part = (start: number, end: number) =>
    c.emit("Slice", [all, c.e.ints([start]), c.e.ints([end]), c.e.ints([axis])]).output;
  return c.give("Sub", [part(1, 2 ** 53), part(0, -1)]);
};

const movedim: Row = (c) => {
  const self = c.t("self");
  const rank = self.shape.length;
  const [from, to] = ["source", "destination"].map((name) => c.ints(name).map((axis) => c.axisOf(axis, rank)));
  const rest = self.shape.map((_, i) => i).filter((axis) => !from!.includes(axis));
  const perm: number[] = [];
  for (let i = 0; i < rank; i++) perm.push(to!.includes(i) ? from![to!.indexOf(i)]! : rest.shift()!);
  return c.transpose(self, perm);
};

const select: Row = (c) => {
  const self = c.t("self");
  const index = c.maybeWhole("index") ?? 0;
  const at = typeof index === "number" ? c.e.numbers(index) : index;
  return c.give("Gather", [self, at], { axis: c.axis("dim", self.shape.length) });
};

const slice: Row = (c) => {
  const self = c.t("self");
  const axis = c.axis("dim", self.shape.length, 0);
  const [start, end, step] = [c.maybeWhole("start") ?? 0, c.maybeWhole("end") ?? 2 ** 53, c.number("step", 1)];
  const length = self.shape[axis];
  const all = typeof end === "number" && (end >= 2 ** 53 || (typeof length === "number" && end >= length));
  if (start === 0 && step === 1 && all) return self;
  return c.give("Slice", [self, c.vector([start]), c.vector([end]), c.e.ints([axis]), c.e.ints([step])]);
};

const narrow: Row = (c) => {
  const self = c.t("self");
  const [start, length] = [c.number("start"), c.number("length")];
  const axis = c.axis("dim", self.shape.length);
  return c.give("Slice", [self, c.e.ints([start]), c.e.ints([start + length]), c.e.ints([axis])]);
};

const cat: Row = (c) => {
  const { dtype, shape } = c.out();
  // PyTorch lets empty tensors of one axis pass.
  const parts = c.list("tensors").filter(({ shape: own }) => !(own.length === 1 && own[0] === 0 && shape.length > 1));
  return c.give(
    "Concat",
    parts.map((part) => c.cast(part, dtype)),
    { axis: c.axis("dim", shape.length, 0) },
  );
};

const stack: Row = (c) => {
  const { dtype, shape } = c.out();
  const axis = c.axis("dim", shape.length, 0);
  const parts = c.list("tensors").map((part) => c.emit("Unsqueeze", [c.cast(part, dtype), c.e.ints([axis])]).output);
  return c.give("Concat", parts, { axis });
};

/** Parts whose lengths the program says. */
const split: Row = (c) => {
  const self = c.t("self");
  const axis = c.axis("dim", self.shape.length, 0);
  const metas = c.outputs.map((_, i) => c.out(i));
  const lengths = lengthsOf(metas.map(({ shape }) => shape[axis]!));
  if (!lengths) throw c.fail("parts whose lengths depend on the input");
  if (lengths.length === 1) return [self];
  const node = c.emit("Split", [self, c.e.ints(lengths)], { axis }, lengths.length);
  return node.outputs.map((value, i) => c.wrap(value, i));
};

const unbind: Row = (c) => {
  const self = c.t("self");
  const axis = c.axis("dim", self.shape.length, 0);
  return c.outputs.map((_, i) => c.give("Gather", [self, c.e.numbers(i)], { axis }, i));
};

const expand: Row = (c) => {
  const sizes = c.wholes("size").map((size) => (size === -1 ? 1 : size));
  return c.give("Expand", [c.t("self"), c.vector(sizes)]);
};

/** Axes in front where there are fewer than repeats. */
function widened(c: Call, self: Term, rank: number): Term {
  const shape: Dim[] = [...new Array<number>(rank - self.shape.length).fill(1), ...self.shape];
  return shape.length === self.shape.length ? self : c.reshape(self, shape);
}

const repeat: Row = (c) => {
  const self = c.t("self");
  const repeats = c.wholes(c.has("repeats") ? "repeats" : "dims");
  const missing = Math.max(0, self.shape.length - repeats.length);
  const all = [...new Array<number>(missing).fill(1), ...repeats];
  return c.give("Tile", [widened(c, self, all.length), c.vector(all)]);
};

/** Each element several times in a row. */
const repeatInterleave: Row = (c) => {
  const self = c.t("self");
  if (!c.has("dim") || c.has("output_size") || c.maybe("repeats"))
    throw c.fail("repeats that are a tensor, or no axis");
  const axis = c.axis("dim", self.shape.length);
  const times = c.number("repeats");
  const wide = c.emit("Unsqueeze", [self, c.e.ints([axis + 1])]).output;
  const ones = new Array<number>(self.shape.length + 1).fill(1);
  ones[axis + 1] = times;
  const repeated = c.e.term(c.emit("Expand", [wide, c.e.ints(ones)]).output, self.dtype, [
    ...self.shape.slice(0, axis + 1),
    times,
    ...self.shape.slice(axis + 1),
  ]);
  const lengths = self.shape.map((_, i) => (i === axis ? -1 : c.length(self, i)));
  return shaped(c, repeated, lengths);
};

const flip: Row = (c) => {
  const self = c.t("self");
  const axes = c.ints("dims").map((axis) => c.axisOf(axis, self.shape.length));
  const each = (value: number) => c.e.ints(axes.map(() => value));
  return c.give("Slice", [self, each(-1), each(-(2 ** 53)), c.e.ints(axes), each(-1)]);
};

const roll: Row = (c) => {
  const self = c.t("self");
  const dims = c.ints("dims", []);
  if (dims.length === 0) throw c.fail("a roll over all elements");
  let term = self;
  for (const [i, shift] of c.ints("shifts").entries()) {
    const axis = c.axisOf(dims[i] ?? 0, self.shape.length);
    const length = self.shape[axis];
    if (typeof length !== "number") throw c.fail("a roll over a length that depends on the input");
    const by = ((-shift % length) + length) % length;
    if (by === 0) continue;
    const part = (from: number, to: number) =>
      c.emit("Slice", [term, c.e.ints([from]), c.e.ints([to]), c.e.ints([axis])]).output;
    term = c.mid("Concat", [part(by, length), part(0, by)], { axis }, self.dtype, self.shape);
  }
  return term;
};

/** Windows of one axis; each becomes a new last axis. */
const unfold: Row = (c) => {
  const self = c.t("self");
  const axis = c.axis("dimension", self.shape.length);
  const length = self.shape[axis];
  const [size, step] = [c.number("size"), c.number("step")];
  if (typeof length !== "number") throw c.fail("windows of a length that depends on the input");
  const count = Math.floor((length - size) / step) + 1;
  const index = Array.from({ length: count * size }, (_, i) => Math.floor(i / size) * step + (i % size));
  const windows = c.emit("Gather", [self, c.e.numbers(index, "int64", [count, size])], { axis }).output;
  const rank = self.shape.length + 1;
  const perm = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis + 1);
  return c.give("Transpose", [windows], { perm: [...perm, axis + 1] });
};

const shuffle =
  (op: "DepthToSpace" | "SpaceToDepth", factor: string): Row =>
  (c) => {
    const self = c.t("self");
    const block = c.number(factor);
    if (self.shape.length !== 4) throw c.fail("other than one batch axis");
    if (op === "DepthToSpace") return c.give(op, [self], { blocksize: block, mode: "CRD" });
    // ONNX's SpaceToDepth puts the channels last among its blocks.
    const [n, channels, h, w] = lengthsOf(self.shape) ?? [];
    if (w === undefined) throw c.fail("lengths that depend on the input");
    const wide = c.reshape(self, [n!, channels!, h! / block, block, w / block, block]);
    return c.reshape(c.transpose(wide, [0, 1, 3, 5, 2, 4]), c.out().shape, 0);
  };

const channelShuffle: Row = (c) => {
  const self = c.t("self");
  const groups = c.number("groups");
  const channels = self.shape[1];
  if (typeof channels !== "number") throw c.fail("channels that depend on the input");
  const [n, , ...rest] = self.shape;
  const wide = c.reshape(self, [n!, groups, channels / groups, ...rest]);
  return c.reshape(c.transpose(wide, [0, 2, 1, ...rest.map((_, i) => i + 3)]), c.out().shape, 0);
};

const triangle =
  (upper: number): Row =>
  (c) => {
    const { dtype } = c.out();
    const self = c.t("self");
    const number = dtype === "bool" ? c.cast(self, "int32") : self;
    const cut = c.e.term(
      c.emit("Trilu", [number, c.e.numbers(c.number("diagonal", 0))], { upper }).output,
      number.dtype,
      self.shape,
    );
    return dtype === "bool" ? c.cast(cut, "bool") : cut;
  };

export const views: Readonly<Record<string, Row>> = {
  view,
  reshape: view,
  _unsafe_view: view,
  view_as: (c) => shaped(c, c.t("self")),
  reshape_as: (c) => shaped(c, c.t("self")),
  flatten,
  unflatten,
  squeeze,
  unsqueeze,
  permute,
  transpose,
  swapaxes: transpose,
  swapdims: transpose,
  t: transpose,
  numpy_T: (c) =>
    c.transpose(
      c.t("self"),
      c.t("self").shape.map((_, i, all) => all.length - 1 - i),
    ),
  mT: matrices,
  mH: matrices,
  adjoint: matrices,
  meshgrid,
  diff,
  movedim,
  select,
  slice,
  narrow,
  cat,
  concat: cat,
  stack,
  split,
  split_with_sizes: split,
  chunk: split,
  unsafe_split: split,
  unsafe_chunk: split,
  tensor_split: split,
  unbind,
  expand,
  expand_as: (c) => c.give("Expand", [c.t("self"), c.shapeOf(c.t("other"))]),
  broadcast_to: expand,
  repeat,
  tile: repeat,
  repeat_interleave: repeatInterleave,
  flip,
  roll,
  unfold,
  pixel_shuffle: shuffle("DepthToSpace", "upscale_factor"),
  pixel_unshuffle: shuffle("SpaceToDepth", "downscale_factor"),
  channel_shuffle: channelShuffle,
  tril: triangle(0),
  triu: triangle(1),
  clone: same,
  contiguous: same,
  alias: same,
  detach: same,
  lift_fresh_copy: same,
  dropout: same,
  feature_dropout: same,
  alpha_dropout: same,
  native_dropout: (c) => [c.t("input")],
  to: same,
  _to_copy: same,
  type_as: same,
  positive: same,
  copy: (c) => c.give("Expand", [c.cast(c.t("src"), c.out().dtype), c.shapeOf(c.t("self"))]),
};
