/** Operators that ask for shapes, change them, or move whole axes. */
import type { Dim, Value } from "../../../ir/inner.ts";
import { type DType, Tensor } from "../../../tensor/inner.ts";
import { broadcastTo, concat, reduce, split, squeeze, stack, tile, unsqueeze } from "../../channels-last/axes.ts";
import { arrayOf, known } from "../../channels-last/content.ts";
import { cast } from "../../channels-last/elementwise.ts";
import { pad, padBy } from "../../channels-last/pad.ts";
import { batchToSpace, reversed, spaceToBatch, symmetricPad } from "../../channels-last/rearrange.ts";
import { reshape, shapeOf, transpose } from "../../channels-last/reshape.ts";
import { lengthsOf, sourceOrder, type Term } from "../../channels-last/term.ts";
import { limits } from "../../limits.ts";
import type { Call, Family, OperatorRow } from "../call.ts";
import { isTerm } from "../slots.ts";

/** [n, 2] numbers as pairs. */
function pairs(call: Call, index: number, what: string): (readonly [number, number])[] {
  const list = call.numbers(index, what);
  return Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!] as const);
}

const padded = (fill: boolean): OperatorRow => ({
  emit: (call) => {
    const x = call.term(0);
    const by = call.term(1);
    const options = fill ? { fill: call.term(2) } : {};
    if (!known(by.content)) return padBy(call.e, x, by, options);
    return pad(call.e, x, pairs(call, 1, "paddings"), options);
  },
});

const joined = (axisFirst: boolean): OperatorRow => ({
  emit: (call) => {
    const last = call.slots.length - 1;
    const axis = call.number(axisFirst ? 0 : last, "an axis");
    return concat(call.e, axisFirst ? call.terms(1) : call.terms(0, last), axis);
  },
});

const shaped: OperatorRow = {
  emit: (call) => call.terms().map((term) => shapeOf(call.e, term, call.attributes.type("out_type", "int32"))),
};

/** The largest constant that is made of one number: more is spread when the model runs. */
const spreadElements = 2 ** 16;

function fill(call: Call): Term {
  const { e } = call;
  const value = call.term(1);
  const shape = call.content(0, "a shape");
  const lengths = lengthsOf(shape);
  const number = known(value.content)?.[0];
  const count = lengths?.reduce((a, b) => a * b, 1) ?? Number.POSITIVE_INFINITY;
  if (lengths && number !== undefined && count <= spreadElements) {
    return e.constant(
      Tensor.of(
        value.dtype,
        lengths,
        arrayOf(
          value.dtype,
          Array.from({ length: count }, () => number),
        ),
      ),
    );
  }
  const spread = e.node("Expand", [e.value(value), e.value(cast(e, call.term(0), "int64"))]).output;
  if (number === 0) zeros.add(spread);
  return e.term(spread, value.dtype, shape);
}

const zeros = new WeakSet<Value>();

/** Whether all elements are known to be zero, as the first states of recurrent layers are. */
export function isZero({ value, constant }: Term): boolean {
  if (value && zeros.has(value)) return true;
  return (
    constant !== undefined &&
    constant.size <= spreadElements &&
    constant.dtype === "float32" &&
    constant.floats().every((v) => v === 0)
  );
}

function range(call: Call): Term {
  const { e } = call;
  const [start, limit, delta] = [call.term(0), call.term(1), call.term(2)];
  const [a, b, c] = [start, limit, delta].map((term) => known(term.content)?.[0]);
  if (a !== undefined && b !== undefined && c !== undefined) {
    const count = Math.max(0, Math.ceil((b - a) / c));
    if (!(count <= limits.knownElements)) {
      if (!Number.isFinite(count) || count > limits.decodedUnits)
        throw e.broken(`expected a range that ends, got ${a} to ${b} by ${c}`);
    } else
      return e.numbers(
        Array.from({ length: count }, (_, i) => a + i * c),
        start.dtype,
      );
  }
  const node = e.node("Range", [e.value(start), e.value(limit), e.value(delta)]);
  return e.term(node.output, start.dtype, [null]);
}

/** A tensor as its slices along an axis. */
export function unstack(call: Call, x: Term, axis: number): Term[] {
  const { e } = call;
  const at = axis < 0 ? axis + x.shape.length : axis;
  const length = x.shape[at];
  if (typeof length !== "number") throw e.fail("expected a known number of slices");
  if (length > limits.knownElements) throw e.broken(`expected at most ${limits.knownElements} slices, got ${length}`);
  if (length === 0) return [];
  const content = x.shape.length === 1 ? x.content : undefined;
  return split(
    e,
    x,
    at,
    Array.from({ length }, () => 1),
  ).map((part, i) => {
    const element = content?.[i];
    if (typeof element === "number") return e.numbers(element, x.dtype);
    const slice = squeeze(e, part, [at]);
    return element === undefined ? slice : { ...slice, content: [element] };
  });
}

export const shapeRows: Family = {
  Shape: shaped,
  ShapeN: shaped,
  Rank: { emit: (call) => call.e.numbers(call.term(0).shape.length, "int32") },
  Size: {
    emit: (call) => {
      const shape = shapeOf(call.e, call.term(0), call.attributes.type("out_type", "int32"));
      return reduce(call.e, "ReduceProd", shape, [0], false);
    },
  },
  Reshape: { emit: (call) => reshape(call.e, call.term(0), call.content(1, "a shape"), call.term(1)) },
  Squeeze: { emit: (call) => squeeze(call.e, call.term(0), call.attributes.ints("squeeze_dims")) },
  ExpandDims: { emit: (call) => unsqueeze(call.e, call.term(0), [call.number(1, "an axis")]) },
  Transpose: { emit: (call) => transpose(call.e, call.term(0), call.numbers(1, "an order of axes")) },
  ConcatV2: joined(false),
  Concat: joined(true),
  Pack: { emit: (call) => stack(call.e, call.terms(), call.attributes.int("axis", 0)) },
  Unpack: { emit: (call) => unstack(call, call.term(0), call.attributes.int("axis", 0)) },
  Split: {
    emit: (call) => {
      const x = call.term(1);
      const axis = call.number(0, "an axis");
      const parts = call.attributes.int("num_split", 1);
      const length = x.shape[axis < 0 ? axis + x.shape.length : axis];
      if (typeof length !== "number") throw call.e.fail("expected a known length to split");
      if (!(parts >= 1 && parts <= limits.knownElements) || length % parts !== 0) {
        throw call.e.broken(`expected ${length} elements in equal parts, got ${parts}`);
      }
      return split(
        call.e,
        x,
        axis,
        Array.from({ length: parts }, () => length / parts),
      );
    },
  },
  SplitV: {
    emit: (call) => {
      const x = call.term(0);
      const axis = call.number(2, "an axis");
      const sizes = [...call.numbers(1, "sizes of parts")];
      const length = x.shape[axis < 0 ? axis + x.shape.length : axis];
      const open = sizes.indexOf(-1);
      if (open >= 0) {
        if (typeof length !== "number") throw call.e.fail("expected a known length to split");
        sizes[open] = length - sizes.reduce((a, b) => a + b, 0) - 1;
      }
      return split(call.e, x, axis, sizes);
    },
  },
  Tile: { emit: (call) => tileBy(call) },
  BroadcastTo: {
    emit: (call) => {
      const { e } = call;
      const lengths = lengthsOf(call.content(1, "a shape"));
      if (lengths) return broadcastTo(e, call.term(0), lengths);
      const x = call.term(0);
      return e.term(
        e.node("Expand", [e.value(x), e.value(cast(e, call.term(1), "int64"))]).output,
        x.dtype,
        call.content(1, "a shape"),
      );
    },
  },
  Fill: { emit: fill },
  Range: { emit: range },
  Pad: padded(false),
  PadV2: padded(true),
  MirrorPad: {
    emit: (call) => {
      const pads = pairs(call, 1, "paddings");
      const mode = call.attributes.string("mode");
      return mode === "REFLECT"
        ? pad(call.e, call.term(0), pads, { mode: "reflect" })
        : symmetricPad(call.e, call.term(0), pads);
    },
  },
  ReverseV2: {
    emit: (call) => {
      const x = call.term(0);
      const axes = call.numbers(1, "axes").map((axis) => (axis < 0 ? axis + x.shape.length : axis));
      return reversed(call.e, x, axes);
    },
  },
  SpaceToBatchND: {
    emit: (call) => spaceToBatch(call.e, call.term(0), call.numbers(1, "a block"), pairs(call, 2, "paddings")),
  },
  BatchToSpaceND: {
    emit: (call) => batchToSpace(call.e, call.term(0), call.numbers(1, "a block"), pairs(call, 2, "crops")),
  },
  InvertPermutation: {
    emit: (call) => {
      const perm = call.numbers(0, "an order of axes");
      return call.e.numbers(
        perm.map((_, i) => perm.indexOf(i)),
        call.term(0).dtype,
      );
    },
  },
  Cast: {
    emit: (call) => {
      const { e } = call;
      const target: DType = call.attributes.type("DstT");
      const slot = call.slots[0];
      if (target === "complex64") {
        if (slot && !isTerm(slot)) return slot;
        const re = cast(e, call.term(0), "float32");
        return { kind: "complex", re, im: zerosLike(call, re) };
      }
      if (slot && !isTerm(slot)) return cast(e, call.complex(0).re, target);
      return cast(e, call.term(0), target);
    },
  },
};

/** Zeros that broadcast to the term. */
function zerosLike({ e }: Call, x: Term): Term {
  return e.numbers(
    [0],
    x.dtype,
    x.shape.map(() => 1),
  );
}

function tileBy(call: Call): Term {
  const { e } = call;
  const x = call.term(0);
  const times = call.content(1, "repeats");
  const numbers = known(times);
  if (numbers) return tile(e, x, numbers);
  const repeats = e.value(cast(e, call.term(1), "int64"));
  const shape = x.shape.map((dim, axis): Dim => {
    const by = times[axis] ?? null;
    if (typeof dim === "number" && typeof by === "number") return dim * by;
    return dim === 1 ? by : null;
  });
  return e.term(e.node("Tile", [e.value(x, sourceOrder(x.shape.length)), repeats]).output, x.dtype, shape);
}
