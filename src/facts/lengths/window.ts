/** How many places a sliding window has: convolutions and pools. */
import type { Node } from "../../ir/inner.ts";

/** The output length of the i-th spatial axis of a Conv or a pool; undefined where it does not follow. */
export function windowLength(
  node: Node,
  length: number | string | undefined,
  kernel: number | string | undefined,
  i: number,
): number | undefined {
  if (typeof length !== "number" || typeof kernel !== "number") return undefined;
  const stride = node.ints("strides")?.[i] ?? 1;
  const pads = node.ints("pads");
  const reach = (node.ints("dilations")?.[i] ?? 1) * (kernel - 1) + 1;
  const auto = node.string("auto_pad", "NOTSET");
  if (auto.startsWith("SAME")) return Math.ceil(length / stride);
  const padding = auto === "VALID" || !pads ? 0 : pads[i]! + pads[i + pads.length / 2]!;
  const rest = length + padding - reach;
  // With ceil_mode a last window that begins in the padding is dropped; who drops it differs, so it stays unknown.
  if (node.int("ceil_mode", 0) !== 0 && rest % stride !== 0) return undefined;
  return Math.floor(rest / stride) + 1;
}

/** The output length of the i-th spatial axis of a ConvTranspose; undefined where it does not follow. */
export function spreadLength(
  node: Node,
  length: number | string | undefined,
  kernel: number | string | undefined,
  i: number,
): number | undefined {
  if (typeof length !== "number" || typeof kernel !== "number") return undefined;
  if (node.string("auto_pad", "NOTSET") !== "NOTSET" || node.ints("output_shape")) return undefined;
  const pads = node.ints("pads");
  const padding = pads ? pads[i]! + pads[i + pads.length / 2]! : 0;
  const reach = (node.ints("dilations")?.[i] ?? 1) * (kernel - 1) + 1;
  return (node.ints("strides")?.[i] ?? 1) * (length - 1) + (node.ints("output_padding")?.[i] ?? 0) + reach - padding;
}
