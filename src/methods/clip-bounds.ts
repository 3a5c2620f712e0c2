/** The bounds of a Clip as numbers. */
import type { Node } from "../ir/index.ts";
import { floatConstant } from "../passes/index.ts";

/** Infinite where a bound is left out; undefined where one is computed. */
export function clipBounds(node: Node): { readonly min: number; readonly max: number } | undefined {
  const end = (index: number, name: string, fallback: number) => {
    const value = node.input(index);
    return value ? floatConstant(value)?.numbers()[0] : node.float(name, fallback);
  };
  const [min, max] = [end(1, "min", Number.NEGATIVE_INFINITY), end(2, "max", Number.POSITIVE_INFINITY)];
  return min === undefined || max === undefined ? undefined : { min, max };
}
