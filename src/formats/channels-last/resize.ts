/** Resizing images, and moving blocks between space and channels: done channels first, as ONNX defines them. */
import type { Dim, Value } from "../../ir/inner.ts";
import type { Emitter } from "./emitter.ts";
import { lengthsOf, type Term } from "./term.ts";
import { channelAxis, spatialAxes, type Window, windowOrder } from "./windows.ts";

/** How TensorFlow finds the source of a pixel; without either, both coordinates are measured from the corner. */
export interface Sampling {
  readonly mode: "linear" | "nearest" | "cubic";
  readonly alignCorners: boolean;
  readonly halfPixels: boolean;
}

/** New spatial lengths: numbers, or a vector that is computed (`by`, in the source's order of spatial axes). */
export interface Sizes {
  readonly lengths: readonly (number | null)[];
  readonly by?: Term;
}

/** Resizes the spatial axes. */
export function resize(e: Emitter, x: Term, sizes: Sizes, sampling: Sampling, channels?: Window["channels"]): Term {
  const rank = x.shape.length;
  const spatial = spatialAxes(rank, channels);
  const order = windowOrder(rank, channels);
  const { lengths } = sizes;
  if (lengths.length !== spatial.length || lengths.some((v) => v !== null && (!Number.isSafeInteger(v) || v < 1))) {
    throw e.broken(`expected ${spatial.length} positive lengths, got [${lengths.join(",")}]`);
  }
  const value = e.value(x, order);
  const { mode, alignCorners, halfPixels } = sampling;
  const transform = alignCorners ? "align_corners" : halfPixels ? "half_pixel" : "asymmetric";
  const attributes = {
    mode,
    coordinate_transformation_mode: transform,
    // TensorFlow rounds halves up, or with half pixels takes the pixel under the middle, which is the same; else it cuts off.
    ...(mode === "nearest" ? { nearest_mode: transform === "asymmetric" ? "floor" : "round_prefer_ceil" } : {}),
    // Without half pixels TensorFlow's kernel is Catmull-Rom's with −0.75, else Keys' with −0.5.
    ...(mode === "cubic"
      ? {
          cubic_coeff_a: { type: "float" as const, value: halfPixels ? -0.5 : -0.75 },
          exclude_outside: halfPixels ? 1 : 0,
        }
      : {}),
  };
  const shape = x.shape.map((dim, axis): Dim => (spatial.includes(axis) ? lengths[spatial.indexOf(axis)]! : dim));
  const whole = lengthsOf(order.map((axis) => shape[axis]!));
  const target = whole ? e.ints(whole) : newLengths(e, value, sizes);
  return e.term(e.node("Resize", [value, null, null, target], attributes).output, x.dtype, shape, order);
}

/**
 * The lengths of all axes, batch and channels first. The attribute `axes` would say the same with less: ONNX Runtime 1.30 moves
 * transposes past a Resize without looking at it.
 */
function newLengths(e: Emitter, value: Value, { lengths, by }: Sizes): Value {
  const known = lengths.every((length) => length !== null);
  if (!known && !by) throw e.fail("expected known lengths to resize to");
  const computed = (term: Term) =>
    term.dtype === "int64" ? e.value(term) : e.node("Cast", [e.value(term)], { to: 7 }).output;
  const spatial = known ? e.ints(lengths as number[]) : computed(by!);
  const lead = e.node("Shape", [value], { start: 0, end: 2 }).output;
  return e.node("Concat", [lead, spatial], { axis: 0 }).output;
}

/** Each spatial axis a whole number of times as long, every element repeated. */
export function repeated(e: Emitter, x: Term, times: readonly number[], channels?: Window["channels"]): Term {
  const rank = x.shape.length;
  const spatial = spatialAxes(rank, channels);
  const order = windowOrder(rank, channels);
  const scales = order.map((axis) => (spatial.includes(axis) ? times[spatial.indexOf(axis)]! : 1));
  const shape = x.shape.map((dim, axis): Dim => {
    const by = spatial.includes(axis) ? times[spatial.indexOf(axis)]! : 1;
    return by === 1 ? dim : typeof dim === "number" ? dim * by : null;
  });
  const inputs = [e.value(x, order), null, e.value(e.numbers(scales, "float32"))];
  const attributes = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
  return e.term(e.node("Resize", inputs, attributes).output, x.dtype, shape, order);
}

/** Blocks of channels become squares of pixels, or the other way; both are ONNX's DCR order, which is TensorFlow's. */
export function depthSpace(
  e: Emitter,
  op: "DepthToSpace" | "SpaceToDepth",
  x: Term,
  block: number,
  channels?: Window["channels"],
): Term {
  const rank = x.shape.length;
  if (rank !== 4 || !Number.isSafeInteger(block) || block < 1 || block > 2 ** 15)
    throw e.broken(`expected an image and a block, got rank ${rank} and ${block}`);
  const order = windowOrder(rank, channels);
  const depth = channelAxis(rank, channels);
  const down = op === "SpaceToDepth";
  const shape = x.shape.map((dim, axis): Dim => {
    if (axis === 0 || typeof dim !== "number") return axis === 0 ? dim : null;
    const length =
      axis === depth ? (down ? dim * block * block : dim / (block * block)) : down ? dim / block : dim * block;
    if (!Number.isSafeInteger(length))
      throw e.broken(`expected lengths that blocks of ${block} divide, got [${x.shape.join(",")}]`);
    return length;
  });
  return e.term(e.node(op, [e.value(x, order)], { blocksize: block }).output, x.dtype, shape, order);
}
