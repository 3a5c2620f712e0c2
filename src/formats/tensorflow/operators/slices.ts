/** Slices and indices. */
import type { Dim } from "../../../ir/inner.ts";
import { argument, choose, gather, squeeze, unsqueeze } from "../../channels-last/axes.ts";
import { known } from "../../channels-last/content.ts";
import { cast, elementwise } from "../../channels-last/elementwise.ts";
import type { Emitter } from "../../channels-last/emitter.ts";
import { type Range, slice } from "../../channels-last/slice.ts";
import { storedAxis, type Term } from "../../channels-last/term.ts";
import type { Call, Family, OperatorRow } from "../call.ts";

/** What one entry of a strided slice says. */
interface Spec {
  readonly axis: number;
  readonly kind: "range" | "index" | "new";
  readonly at: number;
}

/** Which axis each entry is about: an ellipsis stands for all axes that no entry names. */
function specsOf(call: Call, count: number, rank: number): Spec[] {
  const { attributes } = call;
  const has = (mask: string, i: number) => (attributes.int(mask, 0) >>> i) % 2 === 1;
  const entries = Array.from({ length: count }, (_, i) => i);
  const ellipsis = entries.find((i) => has("ellipsis_mask", i));
  const isNew = (i: number) => i !== ellipsis && has("new_axis_mask", i);
  const named = entries.filter((i) => i !== ellipsis && !isNew(i)).length;
  if (count > 31 || named > rank) throw call.e.broken(`expected at most ${rank} ranges, got ${named}`);
  const specs: Spec[] = [];
  let axis = 0;
  for (const i of entries) {
    if (i === ellipsis) axis += rank - named;
    else if (isNew(i)) specs.push({ axis, kind: "new", at: i });
    else specs.push({ axis: axis++, kind: has("shrink_axis_mask", i) ? "index" : "range", at: i });
  }
  return specs;
}

function stridedSlice(call: Call): Term {
  const { e, attributes } = call;
  const x = call.term(0);
  const [begin, end, stride] = [1, 2, 3].map((i) => call.content(i, "a slice"));
  const strides = known(stride);
  if (!strides) throw e.fail("expected steps that do not depend on the model's inputs");
  const specs = specsOf(call, begin!.length, x.shape.length);
  const masked = (mask: string, i: number) => (attributes.int(mask, 0) >>> i) % 2 === 1;
  let made = x;
  const ranges: Range[] = [];
  for (const { kind, axis, at } of specs) {
    const [from, to, step] = [begin![at]!, end![at]!, strides[at]!];
    if (kind === "index") {
      if (typeof from === "number") ranges.push({ axis, start: from, end: from === -1 ? null : from + 1, step: 1 });
      continue;
    }
    if (kind !== "range") continue;
    const start = masked("begin_mask", at) ? null : from;
    const stop = masked("end_mask", at) ? null : to;
    const isKnown = (value: Dim) => value === null || typeof value === "number";
    const [startKnown, stopKnown] = [
      masked("begin_mask", at) || typeof from === "number",
      masked("end_mask", at) || typeof to === "number",
    ];
    if (startKnown && stopKnown && isKnown(start) && isKnown(stop)) {
      ranges.push({ axis, start: start as number | null, end: stop as number | null, step });
    } else
      made = cut(call, made, {
        axis,
        step,
        start: startKnown ? (start as number | null) : undefined,
        stop: stopKnown ? (stop as number | null) : undefined,
        at,
      });
  }
  made = slice(e, made, ranges);
  return reshaped(call, made, specs, begin!);
}

/** Then axes that were asked for by index go, and new ones come. */
function reshaped(call: Call, x: Term, specs: readonly Spec[], begin: readonly Dim[]): Term {
  const { e } = call;
  let made = x;
  const gone: number[] = [];
  for (const { kind, axis, at } of specs) {
    if (kind !== "index") continue;
    if (typeof begin[at] === "number") gone.push(axis);
    else {
      // An index that is computed: the axis stays with length 1 until all others are done.
      const index = gather(e, cast(e, call.term(1), "int64"), e.numbers([at]), 0);
      made = gather(e, made, index, axis);
      gone.push(axis);
    }
  }
  made = gone.length > 0 ? squeeze(e, made, gone) : made;
  const places = specs.flatMap(({ kind, axis }, i) => {
    if (kind !== "new") return [];
    const before = specs.slice(0, i).filter((spec) => spec.kind === "new").length;
    return [axis - gone.filter((one) => one < axis).length + before];
  });
  return places.length > 0 ? unsqueeze(e, made, places) : made;
}

interface Cut {
  readonly axis: number;
  readonly step: number;
  /** undefined: computed. */
  readonly start: number | null | undefined;
  readonly stop: number | null | undefined;
  readonly at: number;
}

/** One axis by bounds that are computed. */
function cut(call: Call, x: Term, { axis, step, start, stop, at }: Cut): Term {
  const { e } = call;
  const far = 2 ** 31 - 1;
  const bound = (value: number | null | undefined, input: number, open: number) =>
    value === undefined
      ? e.value(gather(e, cast(e, call.term(input), "int64"), e.numbers([at]), 0))
      : e.ints([value ?? open]);
  const inputs = [
    e.value(x, x.order),
    bound(start, 1, step > 0 ? 0 : far),
    bound(stop, 2, step > 0 ? far : -far),
    e.ints([storedAxis(x, axis)]),
    ...(step === 1 ? [] : [e.ints([step])]),
  ];
  const from = call.content(1, "a slice")[at]!;
  const to = call.content(2, "a slice")[at]!;
  // From the beginning to a symbolic length: that length.
  const length =
    step === 1 && (start === null || from === 0) && typeof to === "string" && !(typeof x.shape[axis] === "number")
      ? to
      : null;
  return e.term(
    e.node("Slice", inputs).output,
    x.dtype,
    x.shape.map((dim, i) => (i === axis ? length : dim)),
    x.order,
  );
}

function sliceOf(call: Call): Term {
  const { e } = call;
  const x = call.term(0);
  const begin = call.content(1, "a begin");
  const size = call.content(2, "a size");
  if (begin.length !== x.shape.length || size.length !== x.shape.length) {
    throw e.broken(`expected ${x.shape.length} numbers of a slice, got ${begin.length} and ${size.length}`);
  }
  const [from, count] = [known(begin), known(size)];
  if (from && count) {
    return slice(
      e,
      x,
      from.map((start, axis) => ({ axis, start, end: count[axis] === -1 ? null : start + count[axis]!, step: 1 })),
    );
  }
  const starts = cast(e, call.term(1), "int64");
  const sizes = cast(e, call.term(2), "int64");
  // A size of −1 goes to the end: a start and more than any length.
  const far = e.numbers(2 ** 40);
  const open = elementwise(e, "Less", [sizes, e.numbers(0)], "bool");
  const ends = elementwise(e, "Add", [starts, count?.every((n) => n >= 0) ? sizes : choose(e, open, far, sizes)]);
  const node = e.node("Slice", [e.value(x), e.value(starts), e.value(ends), e.ints(x.shape.map((_, i) => i))]);
  const shape = x.shape.map((dim, axis): Dim => {
    const n = size[axis]!;
    if (n === -1) return begin[axis] === 0 ? dim : null;
    return n;
  });
  return e.term(node.output, x.dtype, shape);
}

const gathered: OperatorRow = {
  emit: (call) => {
    const { e, attributes } = call;
    const x = call.term(0);
    const indices = call.term(1);
    const axis = call.slots.length > 2 ? call.number(2, "an axis") : 0;
    const batch = attributes.int("batch_dims", 0);
    if (batch === 0) return gather(e, x, indices, axis);
    const at = axis < 0 ? axis + x.shape.length : axis;
    return batchGather(e, x, indices, at, batch < 0 ? batch + indices.shape.length : batch);
  },
};

/** Indices of their own for each of the leading axes. */
function batchGather(e: Emitter, x: Term, indices: Term, axis: number, batch: number): Term {
  if (axis !== batch) throw e.fail(`expected the axis behind ${batch} axes of the batch, got ${axis}`);
  const wide = e.node("Unsqueeze", [e.value(cast(e, indices, "int64")), e.ints([indices.shape.length])]).output;
  const node = e.node("GatherND", [e.value(x), wide], { batch_dims: batch });
  return e.term(node.output, x.dtype, [
    ...x.shape.slice(0, batch),
    ...indices.shape.slice(batch),
    ...x.shape.slice(batch + 1),
  ]);
}

function gatherNd(call: Call): Term {
  const { e } = call;
  const [x, indices] = [call.term(0), call.term(1)];
  const depth = indices.shape.at(-1);
  if (typeof depth !== "number" || depth > x.shape.length) throw e.fail("expected indices of a known depth");
  const node = e.node("GatherND", [e.value(x), e.value(cast(e, indices, "int64"))]);
  return e.term(node.output, x.dtype, [...indices.shape.slice(0, -1), ...x.shape.slice(depth)]);
}

function oneHot(call: Call): Term {
  const { e, attributes } = call;
  const [indices, on, off] = [call.term(0), call.term(2), call.term(3)];
  const depth = call.number(1, "a depth");
  if (!(depth >= 0 && depth <= 2 ** 24)) throw e.broken(`expected a depth, got ${depth}`);
  const rank = indices.shape.length;
  const axis = attributes.int("axis", -1);
  const at = axis === -1 ? rank : axis;
  const places = e.numbers(
    Array.from({ length: depth }, (_, i) => i),
    indices.dtype,
    [depth, ...Array.from({ length: rank - at }, () => 1)],
  );
  return choose(e, elementwise(e, "Equal", [unsqueeze(e, indices, [at]), places], "bool"), on, off);
}

function topK(call: Call): Term[] {
  const { e, attributes } = call;
  const x = call.term(0);
  const k = call.slots.length > 1 ? call.term(1) : e.numbers(attributes.int("k", 1));
  const count = known(k.content)?.[0] ?? null;
  const wanted = e.value(k.shape.length === 0 ? unsqueeze(e, cast(e, k, "int64"), [0]) : cast(e, k, "int64"));
  const axis = storedAxis(x, -1);
  const node = e.node("TopK", [e.value(x, x.order), wanted], { axis, sorted: 1 }, 2);
  const shape = [...x.shape.slice(0, -1), count];
  const indices = e.term(node.outputs[1]!, "int64", shape, x.order);
  return [e.term(node.outputs[0]!, x.dtype, shape, x.order), cast(e, indices, attributes.type("index_type", "int32"))];
}

const extreme = (op: "ArgMax" | "ArgMin"): OperatorRow => ({
  emit: (call) =>
    cast(
      call.e,
      argument(call.e, op, call.term(0), call.slots.length > 1 ? call.number(1, "an axis") : 0),
      call.attributes.type("output_type", "int64"),
    ),
});

export const sliceRows: Family = {
  StridedSlice: { emit: stridedSlice, limits: "steps must be constant" },
  Slice: { emit: sliceOf },
  Gather: gathered,
  GatherV2: gathered,
  GatherNd: { emit: gatherNd },
  OneHot: { emit: oneHot, limits: "of a constant depth" },
  TopKV2: { emit: topK, outputs: ["values", "indices"] },
  ArgMax: extreme("ArgMax"),
  ArgMin: extreme("ArgMin"),
  Where: {
    emit: (call) => {
      const { e } = call;
      const x = call.term(0);
      const found = e.node("NonZero", [e.value(x)]).output;
      return e.term(e.node("Transpose", [found], { perm: [1, 0] }).output, "int64", [null, x.shape.length]);
    },
  },
  ScatterNd: {
    emit: (call) => {
      const { e } = call;
      const updates = call.term(1);
      const shape = call.content(2, "a shape");
      const zeros = e.node("Expand", [
        e.value(e.numbers(0, updates.dtype)),
        e.value(cast(e, call.term(2), "int64")),
      ]).output;
      const indices = e.value(cast(e, call.term(0), "int64"));
      return e.term(
        e.node("ScatterND", [zeros, indices, e.value(updates)], { reduction: "add" }).output,
        updates.dtype,
        shape,
      );
    },
  },
  TensorScatterUpdate: scattered("none"),
  TensorScatterAdd: scattered("add"),
  TensorScatterMax: scattered("max"),
  TensorScatterMin: scattered("min"),
};

function scattered(reduction: string): OperatorRow {
  return {
    emit: (call) => {
      const { e } = call;
      const x = call.term(0);
      const indices = e.value(cast(e, call.term(1), "int64"));
      return e.term(
        e.node("ScatterND", [e.value(x), indices, e.value(call.term(2))], { reduction }).output,
        x.dtype,
        x.shape,
      );
    },
  };
}
