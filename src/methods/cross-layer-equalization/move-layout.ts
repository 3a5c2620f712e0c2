/** Layouts through operators that move, pick, repeat or reduce positions: the groups move as the numbers do. */
import { constantNumbers, constantOf, floatConstant } from "../../facts/inner.ts";
import type { Node, Value } from "../../ir/inner.ts";
import { type Layout, pick, reshape, transpose } from "./layout.ts";

/** The lengths of a value as it runs, where they are known. */
export type ShapeOf = (value: Value | null) => readonly number[] | undefined;

/** A node that moves a layout, and the lengths before and behind. */
export interface Move {
  readonly node: Node;
  readonly x: Layout;
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** Makes a group that nothing is known of. */
  readonly fresh: () => number;
}

/** The layout behind the node; undefined where the groups are lost. */
export type Mover = (move: Move) => Layout | undefined;

export const transposed: Mover = ({ node, x, from }) =>
  transpose(x, node.ints("perm") ?? from.map((_, a) => from.length - 1 - a));

export const reshaped: Mover = ({ x, from, to }) => reshape(x, from, to);

/** Zeros have every scale: padded channels begin a group of their own. Other fills fix what they pad. */
export function padded({ node, x, fresh }: Move): Layout | undefined {
  const pads = constantNumbers(node.input(1));
  const mode = node.string("mode", "constant");
  const fill = node.input(2) ? floatConstant(node.input(2))?.numbers()[0] : 0;
  if (!pads || node.input(3) || (mode === "constant" && fill !== 0)) return undefined;
  const rank = x.dims.length;
  let layout = x;
  for (let axis = 0; axis < rank; axis++) {
    const [before, after] = [pads[axis]!, pads[axis + rank]!];
    if (x.dims[axis] === 1 || (before === 0 && after === 0)) continue;
    if (mode !== "constant" || before < 0 || after < 0) return undefined;
    const length = x.dims[axis]!;
    const places = Array.from({ length: before + length + after }, (_, i) => i - before);
    const inside = places.map((i) => (i >= 0 && i < length ? i : 0));
    const picked = pick(layout, axis, inside);
    const inner = picked.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    const ids = picked.ids.map((id, i) =>
      inRange(places[Math.floor(i / inner) % places.length]!, length) ? id : fresh(),
    );
    layout = { dims: picked.dims, ids };
  }
  return layout;
}

const inRange = (i: number, length: number): boolean => i >= 0 && i < length;

/** Every kind of interpolation is linear in the numbers; only what lies outside of a crop is filled in. */
export function resized({ node, x, from, to }: Move): Layout | undefined {
  if (node.string("coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize") return undefined;
  return x.dims.every((d, a) => d === 1 || from[a] === to[a]) ? x : undefined;
}

export function sliced({ node, x, from }: Move): Layout | undefined {
  const [starts, ends] = [constantNumbers(node.input(1)), constantNumbers(node.input(2))];
  const axes = node.input(3) ? constantNumbers(node.input(3)) : starts?.map((_, i) => i);
  const steps = node.input(4) ? constantNumbers(node.input(4)) : starts?.map(() => 1);
  if (!axes) return undefined;
  const cut = axes.map((a) => (a < 0 ? a + from.length : a));
  if (cut.every((a) => x.dims[a] === 1)) return x;
  if (!starts || !ends || !steps) return undefined;
  return cut.reduce(
    (layout, axis, i) => pick(layout, axis, sliceIndices(from[axis]!, starts[i]!, ends[i]!, steps[i]!)),
    x,
  );
}

/** The indices that ONNX's Slice picks from an axis. */
function sliceIndices(length: number, start: number, end: number, step: number): number[] {
  const within = (i: number, low: number, high: number) => Math.min(high, Math.max(low, i < 0 ? i + length : i));
  const first = step > 0 ? within(start, 0, length) : within(start, 0, length - 1);
  const last = step > 0 ? within(end, 0, length) : within(end, -1, length - 1);
  const found: number[] = [];
  for (let i = first; step > 0 ? i < last : i > last; i += step) found.push(i);
  return found;
}

export function gathered({ node, x }: Move): Layout | undefined {
  const indices = constantOf(node.input(1));
  const axis = node.int("axis", 0) < 0 ? node.int("axis", 0) + x.dims.length : node.int("axis", 0);
  if (indices?.shape.length !== 1) return undefined;
  const length = x.dims[axis]!;
  return pick(
    x,
    axis,
    indices.numbers().map((i) => (i < 0 ? i + length : i)),
  );
}

/** [N, b, b, C, H, W] → [N, C, H, b, W, b] (DCR), or from [N, C, b, b, H, W] (CRD). */
export function depthToSpace({ node, x, from, to }: Move): Layout | undefined {
  const b = node.int("blocksize", 1);
  const [n, c, h, w] = from as [number, number, number, number];
  const crd = node.string("mode", "DCR") === "CRD";
  const channels = c / (b * b);
  const split = crd ? [n, channels, b, b, h, w] : [n, b, b, channels, h, w];
  const apart = reshape(x, from, split);
  const moved = apart && transpose(apart, crd ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]);
  return moved && reshape(moved, [n, channels, h, b, w, b], to);
}

export function reduced({ node, x, from, to }: Move): Layout | undefined {
  const given = node.ints("axes") ?? constantNumbers(node.input(1));
  const axes = (given ?? from.map((_, a) => a)).map((a) => (a < 0 ? a + from.length : a));
  if (axes.some((a) => x.dims[a] !== 1)) return undefined;
  const kept = from.map((d, a) => (axes.includes(a) ? 1 : d));
  return node.int("keepdims", 1) === 1 ? x : reshape(x, kept, to);
}
