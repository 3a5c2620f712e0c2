/** What moves data, pools or resizes: where the channels go, and what the ends become. */
import { constantNumbers } from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import { addedBy } from "../../ops/inner.ts";
import { type Expectation, joined, normal, picked, pooled, spread } from "./expectation.ts";
import { operandOf, type Rule, type Shapes, type Step } from "./step.ts";

/** Only the first output is what was read; others are masks and indices. */
const first =
  (rule: Rule): Rule =>
  (step) =>
    step.index === 0 ? rule(step) : undefined;

export const passed: Rule = first(operandOf);

/** It may mix channels. */
export const mixed: Rule = first((step) => withAdded(step.node, pooled(operandOf(step))));

/** The largest of neighbours. */
export const largest: Rule = first((step) => {
  const x = operandOf(step);
  return { ...x, basis: x.basis === "batch-norm" ? "propagated" : x.basis };
});

/** Neighbours are much alike: their mean spreads as one of them does. */
export const averaged: Rule = (step) => {
  const x = operandOf(step);
  return step.node.int("count_include_pad", 0) === 1 ? withZero(x) : x;
};

/**
 * The mean over positions. They are neither alike nor independent: the deviation of the mean is taken to be half of that of
 * one place. The ends stay: a channel that fires everywhere is rare, and the one that decides (measured on
 * MobileNetV1-0.25: half the ends cost 20 points).
 */
export function averagedOverAll(step: Step): Expectation {
  const { node, shapes } = step;
  const x = operandOf(step);
  const kept = node.op === "GlobalAveragePool" || node.int("keepdims", 1) === 1;
  const deviation = x.variance.map((v) => Math.sqrt(v) / 2);
  const mean = normal(x.axis, x.mean, deviation, { low: x.low, high: x.high }, x.basis);
  if (x.axis === null) return mean;
  // Where axes go, the channels are found again only on the second one, with all behind it averaged.
  const rank = shapes.rank(node.input(0));
  const after = shapes.of(node.output);
  const same = kept ? after?.[x.axis] !== 1 : x.axis === 1 && rank !== undefined && after?.[1] === x.mean.length;
  return same ? mean : pooled(mean);
}

export const resized: Rule = (step) => {
  if (step.node.string("mode", "nearest") === "cubic") return undefined;
  return withAdded(step.node, alongKept(step));
};

export const sliced: Rule = (step) => alongKept(step);

function alongKept(step: Step): Expectation {
  const x = operandOf(step);
  return sameLength(step.node, x, step.shapes) ? x : pooled(x);
}

/** What the node fills in may stand among the numbers; undefined where that is computed. */
function withAdded(node: Node, x: Expectation): Expectation | undefined {
  const added = addedBy(node);
  if (added === "anything") return undefined;
  return { ...x, low: x.low.map((v) => Math.min(v, ...added)), high: x.high.map((v) => Math.max(v, ...added)) };
}

/** Zero may stand among the numbers. */
function withZero(x: Expectation): Expectation {
  return { ...x, low: x.low.map((v) => Math.min(v, 0)), high: x.high.map((v) => Math.max(v, 0)) };
}

function sameLength(node: Node, x: Expectation, shapes: Shapes): boolean {
  if (x.axis === null) return true;
  const [before, after] = [shapes.of(node.input(0)), shapes.of(node.output)];
  return before !== undefined && after !== undefined && before[x.axis] === after[x.axis];
}

const axisIn = ({ node, shapes }: Step): number => {
  const given = node.int("axis", 0);
  return given < 0 ? given + (shapes.rank(node.output) ?? 0) : given;
};

export function concatenated(step: Step): Expectation {
  const { node, shapes } = step;
  const axis = axisIn(step);
  const parts = node.inputs.map((value) => {
    const x = step.operand(value);
    const length = shapes.of(value)?.[axis];
    return length === undefined && x.axis !== axis ? undefined : spread(x, length ?? x.mean.length, axis);
  });
  if (parts.every((one) => one !== undefined)) return joined(parts, axis);
  return pooled(
    joined(
      node.inputs.map((value) => pooled(step.operand(value))),
      0,
    ),
  );
}

export function padded(step: Step): Expectation | undefined {
  const { node } = step;
  const x = operandOf(step);
  if (node.string("mode", "constant") !== "constant") return x;
  const pads = constantNumbers(node.input(1)) ?? node.ints("pads");
  const rank = (pads?.length ?? 0) / 2;
  const longer = x.axis !== null && [x.axis, x.axis + rank].some((i) => pads?.[i] !== 0);
  const same = longer ? pooled(x) : x;
  return withAdded(node, same);
}

export function transposed(step: Step): Expectation {
  const x = operandOf(step);
  const perm = step.node.ints("perm");
  if (x.axis === null) return x;
  return perm ? { ...x, axis: perm.indexOf(x.axis) } : pooled(x);
}

/** Channels stay channels when what stands before their axis keeps its size; each may then count several times. */
export function reshaped(step: Step): Expectation {
  const { node, shapes } = step;
  const x = operandOf(step);
  if (x.axis === null) return x;
  const [before, after] = [shapes.of(node.input(0)), shapes.of(node.output)];
  if (!before || !after) return pooled(x);
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
  const ahead = size(before.slice(0, x.axis));
  const count = before[x.axis]!;
  for (let axis = 0, product = 1; axis < after.length; product *= after[axis]!, axis++) {
    if (product !== ahead || after[axis]! % count !== 0) continue;
    const each = after[axis]! / count;
    if (each === 1 || size(before.slice(x.axis + 1)) === each * size(after.slice(axis + 1))) {
      return picked(
        x,
        Array.from({ length: after[axis]! }, (_, i) => Math.floor(i / each)),
        axis,
      );
    }
  }
  return pooled(x);
}

export function part(step: Step): Expectation {
  const { node, index, shapes } = step;
  const [x, axis] = [operandOf(step), axisIn(step)];
  if (x.axis === null || x.axis !== axis) return x;
  const lengths = node.outputs.map((output) => shapes.of(output)?.[axis]);
  if (lengths.some((length) => length === undefined)) return pooled(x);
  const start = (lengths as number[]).slice(0, index).reduce((a, b) => a + b, 0);
  return picked(
    x,
    Array.from({ length: lengths[index]! }, (_, i) => start + i),
    axis,
  );
}
