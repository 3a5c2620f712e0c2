/** Bounds behind what joins, pads, reshapes or moves elements, and behind two operands that meet. */
import { constantNumbers, floatConstant } from "../../facts/inner.ts";
import { addedBy } from "../../ops/inner.ts";
import { elementsOf } from "../../tensor/inner.ts";
import {
  alike,
  anything,
  type Bounds,
  type BoundsRule,
  inputOf,
  type Step,
  single,
  spread,
  zeroToo,
} from "./bounds.ts";
import { hull, type Intervals, overall, uniform } from "./math.ts";

/** Two operands whose channels lie on one axis, or one of which is alike everywhere. */
export const both =
  (combine: (a: Intervals, b: Intervals) => Intervals): BoundsRule =>
  (step) => {
    const rank = step.rankOf(step.node.output);
    const [a, b] = [operand(step, 0, rank), operand(step, 1, rank)];
    const axis = a.axis ?? b.axis;
    if (axis === null) return { axis, each: combine(a.each, b.each) };
    const count = (a.axis === null ? b : a).each.lo.length;
    if (b.axis !== null && a.axis !== null && (a.axis !== b.axis || b.each.lo.length !== count)) {
      return { axis: null, each: combine(single(a), single(b)) };
    }
    const full = (one: Bounds) => (one.axis === null ? spread(one, count) : one.each);
    return { axis, each: combine(full(a), full(b)) };
  };

function operand(step: Step, index: number, rank: number | undefined): Bounds {
  const value = step.node.input(index);
  const constant = floatConstant(value);
  const x = constant ? undefined : step.of(value);
  if (constant) {
    const long = constant.shape.findIndex((d) => d !== 1);
    const elements = Float64Array.from(elementsOf(constant));
    const onlyOne = long < 0 || constant.shape.every((d, i) => d === 1 || i === long);
    if (long >= 0 && onlyOne && rank !== undefined) {
      return { axis: long + rank - constant.shape.length, each: { lo: elements, hi: elements } };
    }
    const [lo, hi] = overall({ lo: elements, hi: elements });
    return { axis: null, each: uniform(1, lo, hi) };
  }
  // An operand of fewer axes is broadcast: its axis counts from the end.
  const own = step.rankOf(value);
  if (x!.axis === null || (own !== undefined && own === rank)) return x!;
  return own === undefined || rank === undefined
    ? { axis: null, each: single(x!) }
    : { axis: x!.axis! + rank - own, each: x!.each };
}

export function concatenated(step: Step): Bounds {
  const { node } = step;
  const rank = step.rankOf(node.output);
  const given = node.int("axis", 0);
  const axis = given < 0 ? given + (rank ?? 0) : given;
  const parts = node.inputs.map((value) => {
    const x = step.of(value);
    const length = step.shapeOf(value)?.[axis];
    if (x.axis === axis) return x.each;
    return length === undefined ? undefined : spread({ axis: null, each: single(x) }, length);
  });
  if (axis < 0 || !parts.every((part) => part !== undefined)) {
    const all = node.inputs.map((value) => single(step.of(value)));
    return { axis: null, each: all.reduce(hull) };
  }
  return {
    axis,
    each: {
      lo: Float64Array.from(parts.flatMap((part) => [...part.lo])),
      hi: Float64Array.from(parts.flatMap((part) => [...part.hi])),
    },
  };
}

export function averaged(step: Step): Bounds {
  const x = inputOf(step);
  return step.node.int("count_include_pad", 0) === 0 ? x : { axis: x.axis, each: zeroToo(x.each) };
}

export function padded(step: Step): Bounds {
  const { node } = step;
  const x = inputOf(step);
  if (node.string("mode", "constant") !== "constant") return x;
  const fill = node.input(2) ? floatConstant(node.input(2))?.numbers()[0] : 0;
  const pads = constantNumbers(node.input(1));
  if (fill === undefined || !pads || node.input(3)) return anything;
  const rank = pads.length / 2;
  const widened = x.axis !== null && (pads[x.axis] !== 0 || pads[x.axis + rank] !== 0);
  const each = widened ? single(x) : x.each;
  return { axis: widened ? null : x.axis, each: hull(each, uniform(each.lo.length, fill, fill)) };
}

/** [batch, channels, positions…] → [batch, channels · positions]. */
export function flattened(step: Step): Bounds {
  const { node } = step;
  const x = inputOf(step);
  if (x.axis === null) return x;
  const [before, after] = [step.shapeOf(node.input(0)), step.shapeOf(node.output)];
  if (x.axis === 1 && before && after?.length === 2 && before[0] === after[0]) {
    const places = before.slice(2).reduce((a, b) => a * b, 1);
    const repeat = (ends: Float64Array) =>
      Float64Array.from({ length: after[1]! }, (_, i) => ends[Math.floor(i / places)]!);
    return { axis: 1, each: { lo: repeat(x.each.lo), hi: repeat(x.each.hi) } };
  }
  return { axis: null, each: single(x) };
}

/** Resizing keeps the channels apart; with a crop it fills in numbers of its own. */
export function resized(step: Step): Bounds {
  const { node } = step;
  const x = inputOf(step);
  const crops = node.string("coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  if (node.string("mode", "nearest") === "cubic" || x.axis !== 1 || crops) return anything;
  const [before, after] = [step.shapeOf(node.input(0)), step.shapeOf(node.output)];
  return before && after && before[1] === after[1] ? x : anything;
}

export function transposed(step: Step): Bounds {
  const x = inputOf(step);
  const perm = step.node.ints("perm");
  return perm && x.axis !== null ? { axis: perm.indexOf(x.axis), each: x.each } : alike(single(x));
}

/** What only moves elements stays within the bounds of all channels, and of what it adds. */
export function moved(step: Step): Bounds {
  const added = addedBy(step.node);
  if (added === "anything") return anything;
  return alike(added.reduce((each, v) => hull(each, uniform(1, v, v)), single(inputOf(step))));
}
