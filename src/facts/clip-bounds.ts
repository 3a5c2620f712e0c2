/** The bounds of a Clip as numbers. */
import type { Node } from "../ir/inner.ts";
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
