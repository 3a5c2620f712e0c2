/** Where the windows of a convolution or a pool lie, from the lengths that they really have. */
import type { Node } from "../ir/inner.ts";

/** One number for each spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before the first element. */
  readonly begin: readonly number[];
  /** How far the last window reaches behind the last element; negative where elements at the end are never seen. */
  readonly end: readonly number[];
}

/**
 * The window of a Conv or pool that makes `output` lengths of `input` lengths (spatial axes only). What padding at the end
 * and `ceil_mode` mean follows from the lengths; only the padding at the begin is read off.
 */
export function windowOf(
  node: Node,
  input: readonly number[],
  output: readonly number[],
  kernel: readonly number[],
): Window {
  const ones = kernel.map(() => 1);
  const strides = node.ints("strides", ones);
  const dilations = node.ints("dilations", ones);
  const pads = node.ints("pads");
  const auto = node.string("auto_pad", "NOTSET");
  const reach = kernel.map((k, i) => (output[i]! - 1) * strides[i]! + dilations[i]! * (k - 1) + 1);
  const begin = kernel.map((_, i) => {
    if (auto === "NOTSET") return pads?.[i] ?? 0;
    const total = auto === "VALID" ? 0 : Math.max(0, reach[i]! - input[i]!);
    return auto === "SAME_LOWER" ? Math.ceil(total / 2) : Math.floor(total / 2);
  });
  return { kernel, strides, dilations, begin, end: reach.map((r, i) => r - input[i]! - begin[i]!) };
}

/** How far one window reaches along each axis. */
export function reachOf({ kernel, dilations }: Window): number[] {
  return kernel.map((k, i) => dilations[i]! * (k - 1) + 1);
}
