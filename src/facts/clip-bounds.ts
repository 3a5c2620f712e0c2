/** The bounds of a Clip as numbers, and what a Min or Max is bounded by. */
import type { Node, Value } from "../ir/inner.ts";
import { constantOf } from "./constants.ts";

/** Inputs, or attributes before opset 11. Infinite where a bound is left out; undefined where one is computed. */
export function clipBounds(node: Node): { readonly min: number; readonly max: number } | undefined {
  const bound = (index: number, name: string, fallback: number) => {
    const value = node.input(index);
    return value ? constantOf(value)?.numbers()[0] : node.float(name, fallback);
  };
  const [min, max] = [bound(1, "min", Number.NEGATIVE_INFINITY), bound(2, "max", Number.POSITIVE_INFINITY)];
  return min === undefined || max === undefined ? undefined : { min, max };
}

/** The data and the constant of a Min or Max of the two: a bound for each channel, say. Undefined for every other node. */
export function constantBound(node: Node): { readonly x: Value; readonly bound: Value } | undefined {
  if (node.domain !== "" || (node.op !== "Min" && node.op !== "Max") || node.inputs.length !== 2) return undefined;
  const [first, second] = node.inputs;
  if (!first || !second || (constantOf(first) === undefined) === (constantOf(second) === undefined)) return undefined;
  return constantOf(first) ? { x: second, bound: first } : { x: first, bound: second };
}
