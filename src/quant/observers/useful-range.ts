/**
 * What the readers of a value can tell apart. Numbers that every reader clips anyway (Relu, Clip, also behind data
 * movement) may be clipped by the quantizer at no cost: a depthwise convolution of −20 … 116 in front of a ReLU6 is worth
 * a grid over 0 … 6.
 */
import { initializerOf, keepsGrid } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";

/** Ends of a range, infinite where nothing is known. */
export type Ends = readonly [min: number, max: number];

const everything: Ends = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

/** The smallest range outside which all readers of all these values make no difference. */
export function usefulRange(values: readonly Value[]): Ends {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  const widen = ([low, high]: Ends) => {
    min = Math.min(min, low);
    max = Math.max(max, high);
  };
  for (const value of values) {
    if (value.isGraphOutput) return everything;
    for (const node of value.consumers()) widen(readBy(node, value));
  }
  return min <= max ? [min, max] : everything;
}

function readBy(node: Node, value: Value): Ends {
  if (node.domain !== "" || node.input(0) !== value) return everything;
  if (node.op === "Relu") return [0, Number.POSITIVE_INFINITY];
  if (node.op === "Clip") return [bound(node, 1, "min", everything[0]), bound(node, 2, "max", everything[1])];
  if (node.op === "Min" || node.op === "Max") return pastConstant(node);
  if (!keepsGrid(node) || node.outputs.length === 0) return everything;
  return usefulRange(node.outputs.filter((output) => output.name !== ""));
}

/** A Min or Max with a constant, perhaps one number per channel: beyond its extreme nobody sees a difference. */
function pastConstant(node: Node): Ends {
  const [, bounds] = node.inputs.map((value) => initializerOf(value)?.numbers());
  if (node.inputs.length !== 2 || !bounds || bounds.length === 0) return everything;
  const extreme = bounds.reduce((a, b) => (node.op === "Min" ? Math.max(a, b) : Math.min(a, b)));
  return node.op === "Min" ? [everything[0], extreme] : [extreme, everything[1]];
}

/** A bound of Clip: an attribute before opset 11, an input since; unknown when it is computed. */
function bound(node: Node, input: number, attribute: string, fallback: number): number {
  if (node.attributes.has(attribute)) return node.float(attribute, fallback);
  if (!node.input(input)) return fallback;
  return initializerOf(node.input(input))?.numbers()[0] ?? fallback;
}
