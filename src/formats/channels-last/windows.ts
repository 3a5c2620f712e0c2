/** Windows over the spatial axes as TensorFlow defines them: SAME, VALID and EXPLICIT padding, and the lengths that come out. */
import type { AttributeLike, Dim } from "../../ir/inner.ts";
import type { Emitter } from "./emitter.ts";
import { channelsFirst, type Order, sourceOrder, type Term } from "./term.ts";

/** SAME and VALID as TensorFlow has them, or the elements before and after on each spatial axis. */
export type Padding = "SAME" | "VALID" | readonly (readonly [before: number, after: number])[];

export interface Window {
  /** Along the spatial axes, in their order. */
  readonly kernel: readonly number[];
  /** Default: ones. */
  readonly strides?: readonly number[];
  /** Default: ones. */
  readonly dilations?: readonly number[];
  readonly padding: Padding;
  /** Where the source has the channels (default: last). */
  readonly channels?: "first" | "last";
}

/** The stored order in which ONNX wants such a tensor. */
export const windowOrder = (rank: number, channels: Window["channels"]): Order =>
  channels === "first" ? sourceOrder(rank) : channelsFirst(rank);

/** The source's axis of the channels. */
export const channelAxis = (rank: number, channels: Window["channels"]): number =>
  channels === "first" ? 1 : rank - 1;

/** The source's spatial axes. */
export const spatialAxes = (rank: number, channels: Window["channels"]): readonly number[] =>
  Array.from({ length: rank - 2 }, (_, i) => i + (channels === "first" ? 2 : 1));

/** Elements under a window with holes. */
export const reach = (kernel: number, dilation: number): number => (kernel - 1) * dilation + 1;

/** How ONNX is told to pad; `dynamic`: with a Pad of its own, where SAME depends on lengths that are not known. */
export interface Padded {
  readonly attributes: Readonly<Record<string, AttributeLike>>;
  readonly dynamic: boolean;
}

/**
 * The pads attribute. SAME adds max((ceil(n / stride) − 1) · stride + reach − n, 0) elements, the odd one at the end; where n is not
 * known and matters (stride above 1), ONNX's SAME_UPPER says the same, but runtimes take it without dilation and without gaps between windows only.
 */
export function padded(window: Window, lengths: readonly Dim[]): Padded {
  const { kernel, strides, dilations } = complete(window);
  const { padding } = window;
  if (padding === "VALID") return { attributes: {}, dynamic: false };
  if (padding !== "SAME") return { attributes: padsAttribute(padding), dynamic: false };
  const pads = lengths.map((length, i) => samePads(length, reach(kernel[i]!, dilations[i]!), strides[i]!));
  if (pads.every((pair) => pair !== undefined)) return { attributes: padsAttribute(pads), dynamic: false };
  const plain = dilations.every((dilation, i) => dilation === 1 && kernel[i]! >= strides[i]!);
  if (plain) return { attributes: { auto_pad: "SAME_UPPER" }, dynamic: false };
  return { attributes: {}, dynamic: true };
}

/** The window with all its fields. */
export function complete(window: Window): Required<Pick<Window, "kernel" | "strides" | "dilations">> {
  const { kernel, strides = kernel.map(() => 1), dilations = kernel.map(() => 1) } = window;
  return { kernel, strides, dilations };
}

function samePads(length: Dim, size: number, stride: number): readonly [number, number] | undefined {
  let total: number;
  if (typeof length === "number") total = (Math.ceil(length / stride) - 1) * stride + size - length;
  else if (stride === 1 || size === 1) total = size - 1;
  else return undefined;
  const before = Math.floor(Math.max(total, 0) / 2);
  return [before, Math.max(total, 0) - before];
}

function padsAttribute(pairs: readonly (readonly [number, number])[]): Record<string, AttributeLike> {
  if (pairs.every(([before, after]) => before === 0 && after === 0)) return {};
  return { pads: [...pairs.map(([before]) => before), ...pairs.map(([, after]) => after)] };
}

/** Lengths after the window has moved over them; names of lengths survive where nothing changes. */
export function windowLengths(e: Emitter, window: Window, lengths: readonly Dim[]): Dim[] {
  const { kernel, strides, dilations } = complete(window);
  return lengths.map((length, i) => {
    const stride = strides[i]!;
    if (window.padding === "SAME")
      return typeof length === "number" ? Math.ceil(length / stride) : stride === 1 ? length : null;
    const [before, after] = window.padding === "VALID" ? [0, 0] : window.padding[i]!;
    const lost = reach(kernel[i]!, dilations[i]!) - before - after;
    if (typeof length !== "number") return stride === 1 && lost === 1 ? length : null;
    const left = Math.floor((length - lost) / stride) + 1;
    if (left < 1) throw e.broken(`expected a window of at most ${length} elements, got ${lost}`);
    return left;
  });
}

/** Checks what a file says of a window: as many numbers as spatial axes, all of them whole and in range. */
export function expectWindow(e: Emitter, x: Term, window: Window): void {
  const spatial = x.shape.length - 2;
  const { kernel, strides, dilations } = complete(window);
  if (spatial < 1)
    throw e.broken(`expected an input with batch, spatial axes and channels, got rank ${x.shape.length}`);
  for (const [what, list] of Object.entries({ kernel, strides, dilations })) {
    if (list.length === spatial && list.every((v) => Number.isSafeInteger(v) && v >= 1 && v < 2 ** 31)) continue;
    throw e.broken(`expected ${spatial} positive numbers as ${what}, got [${list.join(",")}]`);
  }
  if (typeof window.padding === "string") return;
  if (
    window.padding.length !== spatial ||
    !window.padding.flat().every((v) => Number.isSafeInteger(v) && v >= 0 && v < 2 ** 31)
  ) {
    throw e.broken(`expected two whole numbers of padding for each of ${spatial} spatial axes`);
  }
}
