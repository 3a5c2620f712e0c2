/** Shapes: changing them, cutting, padding, resizing, and making tensors of them. */
import type { Dim } from "../../../ir/inner.ts";

import { isFloat } from "../../../tensor/inner.ts";
import { broadcastTo, choose, squeeze, unsqueeze } from "../../channels-last/axes.ts";
import { knownOf } from "../../channels-last/content.ts";
import { cast, elementwise, unary } from "../../channels-last/elementwise.ts";
import { type PadOptions, pad, padBy } from "../../channels-last/pad.ts";
import { reshape, shapeOf, transpose } from "../../channels-last/reshape.ts";
import { depthSpace, resize } from "../../channels-last/resize.ts";
import { type Range, slice } from "../../channels-last/slice.ts";
import { lengthsOf, type Term } from "../../channels-last/term.ts";
import { limits } from "../../limits.ts";
import type { Call, Row } from "../call.ts";

const reshaped: Row = (c) => {
  if (!c.has(1)) return reshape(c.e, c.x(0), c.options({ shape: "i32s" }).shape);
  const by = c.x(1);
  const length = by.shape[0];
  const content = by.content ?? (typeof length === "number" ? Array<Dim>(length).fill(null) : undefined);
  if (!content || by.shape.length !== 1) throw c.e.fail("expected a known number of new axes");
  return reshape(c.e, c.x(0), content, by);
};

/** Python's x[begin:end:step, …]: an axis is a range, one index, a new one, or as many whole ones as are left. */
const stridedSlice: Row = (c) => {
  const o = c.options({ begin: "i32", end: "i32", ellipsis: "i32", added: "i32", single: "i32", offset: "bool" });
  if (o.offset) throw c.e.fail("expected ends of slices, got lengths");
  const x = c.x(0);
  const steps = c.numbers(3, "steps");
  const [begins, ends] = [knownOf(c.x(1)), knownOf(c.x(2))];
  if (!begins || !ends) return computedStridedSlice(c, o, steps);
  const has = (mask: number, i: number) => i < 32 && ((mask >>> i) & 1) === 1;
  const named = begins.filter((_, i) => !has(o.added, i) && !has(o.ellipsis, i)).length;
  const ranges: Range[] = [];
  const gone: number[] = [];
  const added: number[] = [];
  let [axis, place] = [0, 0];
  begins.forEach((begin, i) => {
    if (has(o.ellipsis, i)) {
      const whole = Math.max(x.shape.length - named, 0);
      axis += whole;
      place += whole;
      return;
    }
    if (has(o.added, i)) {
      added.push(place++);
      return;
    }
    if (axis >= x.shape.length) throw c.e.broken(`expected at most ${x.shape.length} slices`);
    if (has(o.single, i)) {
      ranges.push({ axis, start: begin, end: begin === -1 ? null : begin + 1, step: 1 });
      gone.push(axis++);
      return;
    }
    const [start, end] = [has(o.begin, i) ? null : begin, has(o.end, i) ? null : (ends[i] ?? null)];
    ranges.push({ axis: axis++, start, end, step: steps[i] ?? 1 });
    place++;
  });
  const cut = slice(c.e, x, ranges);
  const thin = gone.length > 0 ? squeeze(c.e, cut, gone) : cut;
  return added.length > 0 ? unsqueeze(c.e, thin, added) : thin;
};

/** The same where begins or ends are computed: masks choose numbers; new axes have no place here. */
function computedStridedSlice(
  c: Call,
  o: { begin: number; end: number; ellipsis: number; added: number; single: number },
  steps: readonly number[],
): Term {
  const { e } = c;
  const x = c.x(0);
  if (o.ellipsis || o.added)
    throw e.fail("expected slices without ellipsis and new axes where their ends are computed");
  const count = steps.length;
  const mask = (bits: number) =>
    e.numbers(
      steps.map((_, i) => (bits >>> i) & 1),
      "bool",
    );
  const first = e.numbers(steps.map((step) => (step < 0 ? farthest : 0)));
  const last = e.numbers(steps.map((step) => (step < 0 ? -farthest : farthest)));
  const [begins, ends] = [cast(e, c.x(1), "int64"), cast(e, c.x(2), "int64")];
  const isLast = elementwise(e, "Equal", [begins, e.numbers(-1)], "bool");
  const next = choose(e, isLast, e.numbers(farthest), elementwise(e, "Add", [begins, e.numbers(1)]));
  const starts = choose(e, mask(o.begin & ~o.single), first, begins);
  const stops = choose(e, mask(o.single), next, choose(e, mask(o.end), last, ends));
  const axes = steps.map((_, axis) => axis);
  const gone = axes.filter((axis) => (o.single >>> axis) & 1);
  const inputs = [e.value(x), e.value(starts), e.value(stops), e.ints(axes), e.ints(steps)];
  const shape = x.shape.map((dim, axis): Dim => (gone.includes(axis) ? 1 : axis < count ? null : dim));
  const cut = e.term(e.node("Slice", inputs).output, x.dtype, shape);
  return gone.length > 0 ? squeeze(e, cut, gone) : cut;
}

/** Starts and ends that are computed, one for each axis of x; what comes out is as long as the file says, where it says so. */
function computedSlice(c: Call, x: Term, starts: Term, ends: Term): Term {
  const stated = c.output().shape;
  const { e } = c;
  const rank = x.shape.length;
  if (starts.shape[0] !== rank || ends.shape[0] !== rank)
    throw e.fail("expected a computed begin and end for each axis");
  const axes = x.shape.map((_, axis) => axis);
  const inputs = [e.value(x), e.value(starts), e.value(ends), e.ints(axes)];
  const shape = axes.map((axis): Dim => (stated.length === rank && stated[axis]! >= 0 ? stated[axis]! : null));
  return e.term(e.node("Slice", inputs).output, x.dtype, shape);
}

/** ONNX's "to the end". */
const farthest = 2 ** 31 - 1;

/** Sizes from begins; −1 is all that is left. */
const sliced: Row = (c) => {
  const { e } = c;
  const x = c.x(0);
  const [begins, sizes] = [knownOf(c.x(1)), knownOf(c.x(2))];
  if (!begins || !sizes) {
    const [starts, lengths] = [cast(e, c.x(1), "int64"), cast(e, c.x(2), "int64")];
    const isRest = elementwise(e, "Equal", [lengths, e.numbers(-1)], "bool");
    return computedSlice(
      c,
      x,
      starts,
      choose(e, isRest, e.numbers(farthest), elementwise(e, "Add", [starts, lengths])),
    );
  }
  const ranges = begins.map((start, axis) => ({
    axis,
    start,
    end: sizes[axis] === -1 ? null : start + sizes[axis]!,
    step: 1,
  }));
  if (ranges.length !== x.shape.length || sizes.length !== ranges.length) {
    throw e.broken("expected a begin and a size for each axis");
  }
  return slice(e, x, ranges);
};

/** Pairs of numbers, one for each axis. */
function pairs(numbers: readonly number[]): (readonly [number, number])[] {
  return Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i]!, numbers[2 * i + 1]!] as const);
}

function padded(c: Call, options: PadOptions): Term {
  const known = knownOf(c.x(1));
  return known ? pad(c.e, c.x(0), pairs(known), options) : padBy(c.e, c.x(0), c.x(1), options);
}

const mirrored: Row = (c) => {
  const symmetric = c.options({ mode: "i8" }).mode === 1;
  if (!symmetric) return padded(c, { mode: "reflect" });
  // With one element, repeating the edge is the same; ONNX has no name for more.
  if (c.numbers(1, "padding").some((count) => count > 1))
    throw c.e.fail("expected symmetric padding of one element, got more");
  return padded(c, { mode: "edge" });
};

/** [batch · block, h, w, c] with every block-th pixel in a batch of its own. */
const spaceToBatch: Row = (c) => {
  const [block, pads] = [c.numbers(1, "a block"), pairs(c.numbers(2, "padding"))];
  const none = [0, 0] as const;
  const x = pad(c.e, c.x(0), [
    none,
    ...pads,
    ...Array<readonly [number, number]>(Math.max(c.x(0).shape.length - 1 - pads.length, 0)).fill(none),
  ]);
  const rest = x.shape.slice(1 + block.length);
  const parts = block.flatMap((size, i) => {
    const length = x.shape[i + 1]!;
    return [typeof length === "number" ? length / size : null, size];
  });
  const split = reshape(c.e, x, [x.shape[0]!, ...parts, ...rest]);
  const [inner, outer] = [block.map((_, i) => 2 * i + 2), block.map((_, i) => 2 * i + 1)];
  const moved = transpose(c.e, split, [...inner, 0, ...outer, ...rest.map((_, i) => 1 + 2 * block.length + i)]);
  const batch = block.reduce<Dim>((total, size) => (typeof total === "number" ? total * size : -1), x.shape[0]!);
  return reshape(c.e, moved, [batch ?? -1, ...outer.map((axis) => split.shape[axis]!), ...rest]);
};

const batchToSpace: Row = (c) => {
  const [block, crops] = [c.numbers(1, "a block"), pairs(c.numbers(2, "crops"))];
  const x = c.x(0);
  const sizes = block.length;
  const area = block.reduce((a, b) => a * b, 1);
  const batch = x.shape[0]!;
  const rest = x.shape.slice(1 + sizes);
  const split = reshape(c.e, x, [...block, typeof batch === "number" ? batch / area : -1, ...x.shape.slice(1)]);
  const spatial = block.flatMap((_, i) => [sizes + 1 + i, i]);
  const moved = transpose(c.e, split, [sizes, ...spatial, ...rest.map((_, i) => 2 * sizes + 1 + i)]);
  const lengths = block.map((size, i) => {
    const length = x.shape[i + 1]!;
    return typeof length === "number" ? length * size : null;
  });
  const joined = reshape(c.e, moved, [split.shape[sizes]!, ...lengths, ...rest]);
  const ranges = crops.map(([before, after], i) => ({
    axis: i + 1,
    start: before,
    end: after > 0 ? -after : null,
    step: 1,
  }));
  return slice(c.e, joined, ranges);
};

const resized =
  (mode: "linear" | "nearest"): Row =>
  (c) => {
    const o =
      mode === "linear"
        ? c.options({ height: "i32", width: "i32", align: "bool", half: "bool" })
        : c.options({ align: "bool", half: "bool" });
    const known = knownOf(c.x(1));
    const sizes = known ? { lengths: known } : { lengths: [null, null], by: c.x(1) };
    return resize(c.e, c.x(0), sizes, { mode, alignCorners: o.align, halfPixels: o.half });
  };

/** A value everywhere. */
const fill: Row = (c) => {
  const value = c.x(1);
  const shape = knownOf(c.x(0));
  if (shape && knownOf(value) && shape.reduce((a, b) => a * b, 1) === 1)
    return c.e.numbers(knownOf(value)!, value.dtype, shape);
  if (shape) return broadcastTo(c.e, value, shape);
  const rank = c.x(0).shape[0];
  if (typeof rank !== "number") throw c.e.fail("expected a known number of axes");
  const lengths = cast(c.e, c.x(0), "int64");
  const made = c.e.node("Expand", [c.e.value(value), c.e.value(lengths)]).output;
  return c.e.term(made, value.dtype, c.x(0).content ?? Array<Dim>(rank).fill(null));
};

const range: Row = (c) => {
  const terms = [c.x(0), c.x(1), c.x(2)];
  const [start, end, step] = terms.map((term) => knownOf(term)?.[0]);
  if (start !== undefined && end !== undefined && step !== undefined && step !== 0) {
    const count = Math.max(0, Math.ceil((end - start) / step));
    if (count <= limits.knownElements) {
      return c.e.numbers(
        Array.from({ length: count }, (_, i) => start + i * step),
        terms[0]!.dtype,
      );
    }
  }
  const made = c.e.node(
    "Range",
    terms.map((term) => c.e.value(term)),
  ).output;
  return c.e.term(made, terms[0]!.dtype, [null]);
};

const fakeQuant: Row = (c) => {
  const { min, max, bits, narrow } = c.options({ min: "f32", max: "f32", bits: "i32", narrow: "bool" });
  if (bits !== 8) throw c.e.fail(`expected 8 bits of fake quantization, got ${bits}`);
  if (!(max > min && Number.isFinite(max - min))) throw c.e.broken(`expected a range, got ${min} to ${max}`);
  const least = narrow ? 1 : 0;
  // In float32 throughout, as TensorFlow does: −min / scale is a half often enough.
  const scale = Math.fround(Math.fround(max - min) / (255 - least));
  const zero = Math.min(255, Math.max(least, Math.round(Math.fround(least - Math.fround(min / scale)))));
  const inputs = [c.e.value(c.e.numbers(scale, "float32")), c.e.value(c.e.numbers(zero, "uint8"))];
  const x = c.x();
  const floor = c.e.value(c.e.numbers((least - zero) * scale, "float32"));
  // The narrow grid has no number 0, so that what lies below its least number must not reach it.
  const inside = narrow ? unary(c.e, "Max", x, {}, x.dtype, [floor]) : x;
  const integers = c.e.node("QuantizeLinear", [c.e.value(inside, x.order), ...inputs]).output;
  return c.e.term(c.e.node("DequantizeLinear", [integers, ...inputs]).output, x.dtype, x.shape, x.order);
};

export const shapeRows = {
  RESHAPE: reshaped,
  TRANSPOSE: (c) => transpose(c.e, c.x(0), c.numbers(1, "an order of axes")),
  SQUEEZE: (c) => squeeze(c.e, c.x(), c.options({ axes: "i32s" }).axes),
  EXPAND_DIMS: (c) => unsqueeze(c.e, c.x(0), c.numbers(1, "an axis")),
  SHAPE: (c) => shapeOf(c.e, c.x(), c.dtype()),
  RANK: (c) => c.e.numbers(c.x().shape.length, c.dtype()),
  SLICE: sliced,
  STRIDED_SLICE: stridedSlice,
  PAD: (c) => padded(c, {}),
  PADV2: (c) => padded(c, { fill: c.x(2) }),
  MIRROR_PAD: mirrored,
  SPACE_TO_BATCH_ND: spaceToBatch,
  BATCH_TO_SPACE_ND: batchToSpace,
  SPACE_TO_DEPTH: (c) => depthSpace(c.e, "SpaceToDepth", c.x(), c.options({ block: "i32" }).block),
  DEPTH_TO_SPACE: (c) => depthSpace(c.e, "DepthToSpace", c.x(), c.options({ block: "i32" }).block),
  RESIZE_BILINEAR: resized("linear"),
  RESIZE_NEAREST_NEIGHBOR: resized("nearest"),
  FILL: fill,
  RANGE: range,
  BROADCAST_TO: (c) => {
    const shape = c.numbers(1, "a shape");
    return lengthsOf(c.x(0).shape) ? broadcastTo(c.e, c.x(0), shape) : fillLike(c, shape);
  },
  BROADCAST_ARGS: (c) => {
    const [a, b] = [c.numbers(0, "a shape"), c.numbers(1, "a shape")];
    const rank = Math.max(a.length, b.length);
    const at = (list: readonly number[], i: number) => list[i - (rank - list.length)] ?? 1;
    return c.e.numbers(
      Array.from({ length: rank }, (_, i) => (at(a, i) === 1 ? at(b, i) : at(a, i))),
      c.x(0).dtype,
    );
  },
  WHERE: (c) => {
    const x = c.x();
    const found = c.e.node("NonZero", [c.e.value(x)]).output;
    return c.e.term(c.e.node("Transpose", [found], { perm: [1, 0] }).output, "int64", [null, x.shape.length]);
  },
  UNIQUE: (c) => {
    // ONNX Runtime has a kernel for int64 among whole numbers only.
    const x = isFloat(c.x().dtype) ? c.x() : cast(c.e, c.x(), "int64");
    const node = c.e.node("Unique", [c.e.value(x)], { sorted: 0 }, 3);
    return [c.e.term(node.outputs[0]!, x.dtype, [null]), c.e.term(node.outputs[2]!, "int64", x.shape)];
  },
  FAKE_QUANT: fakeQuant,
} satisfies Record<string, Row>;

function fillLike(c: Call, shape: readonly number[]): Term {
  const x = c.x(0);
  return c.e.term(c.e.node("Expand", [c.e.value(x), c.e.ints(shape)]).output, x.dtype, shape);
}
