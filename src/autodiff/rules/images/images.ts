/** Images: resizing, sampling on grids, and determinants. */
import type { Value } from "../../../ir/inner.ts";
import { type Shape, sizeOf, Tensor } from "../../../tensor/inner.ts";
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";
import { gridSample } from "./grid-sample.ts";

/**
 * A resize is linear and separable: y = M₁ · … · Mₙ · x with a small matrix for each axis that it changes. The operator
 * itself makes that matrix of an identity, whatever its coordinates, its interpolation and its filter; dx takes the
 * transposed ones.
 */
function resize(b: Backward): InputGradients {
  const [from, to] = [b.shapeOf(0), b.outShape];
  const scales = scalesOf(b, from, to);
  const axes = from.map((_, axis) => axis).filter((axis) => from[axis] !== to[axis] || scales[axis] !== 1);
  if (repeatsWhole(b, from, to, axes)) return [blockSums(b, from, to)];
  let gradient = b.dy;
  const shape = [...to];
  for (const axis of axes) {
    const [length, after] = [from[axis]!, to[axis]!];
    const inner = sizeOf(shape.slice(axis + 1));
    const matrix = matrixOf(b, length, after, scales[axis]!, axis);
    gradient =
      inner === 1
        ? b.matMul(b.reshape(gradient, [-1, after]), matrix)
        : b.matMul(b.transpose(matrix, [1, 0]), b.reshape(gradient, [-1, after, inner]));
    shape[axis] = length;
  }
  return [b.reshape(gradient, from)];
}

/** The scale of each axis: as given, or the quotient of the lengths where sizes are given. */
function scalesOf(b: Backward, from: Shape, to: Shape): number[] {
  const given = b.constantInput(2)?.numbers();
  const axes = axesOf(b, from.length);
  return from.map((length, axis) => {
    const index = axes.indexOf(axis);
    if (index < 0) return 1;
    return given && given.length > 0 ? given[index]! : to[axis]! / length;
  });
}

function axesOf(b: Backward, rank: number): number[] {
  const all = Array.from({ length: rank }, (_, axis) => axis);
  return b.node.ints("axes", all).map((axis) => (axis < 0 ? axis + rank : axis));
}

/** Nearest neighbours at a whole scale repeat each element, if coordinates are rounded as they mostly are. */
function repeatsWhole(b: Backward, from: Shape, to: Shape, axes: readonly number[]): boolean {
  const mode = b.node.string("coordinate_transformation_mode", "half_pixel");
  const rounding = b.node.string("nearest_mode", "round_prefer_floor");
  const asKnown =
    (mode === "asymmetric" && rounding === "floor") || (mode === "half_pixel" && rounding.startsWith("round"));
  const isNearest = b.node.string("mode", "nearest") === "nearest";
  return isNearest && asKnown && axes.every((axis) => to[axis]! % from[axis]! === 0);
}

function blockSums(b: Backward, from: Shape, to: Shape): Value {
  const split = from.flatMap((length, axis) => [length, to[axis]! / length]);
  const blocks = from.flatMap((length, axis) => (to[axis] === length ? [] : [2 * axis + 1]));
  return b.reshape(b.sum(b.reshape(b.dy, split), blocks), from);
}

/** [after, length]: what the resize makes of each unit vector. */
function matrixOf(b: Backward, length: number, after: number, scale: number, axis: number): Value {
  const { node } = b;
  const {
    axes: _,
    extrapolation_value: __,
    keep_aspect_ratio_policy: ___,
    ...attributes
  } = Object.fromEntries(node.attributes);
  const unit = Tensor.float32(
    [1, 1, length, length],
    Array.from({ length: length * length }, (_, i) => (i % (length + 1) === 0 ? 1 : 0)),
  );
  const roi = node.string("coordinate_transformation_mode") === "tf_crop_and_resize" ? cropOf(b, axis) : null;
  // Filters and cubics know four axes, so the identity has two more in front.
  const matrix = b.op("Resize", [b.constant(unit), roi, b.constant(Tensor.float32([4], [1, 1, scale, 1]))], attributes);
  return b.reshape(matrix, [after, length]);
}

function cropOf(b: Backward, axis: number): Value {
  const roi = b.constantInput(1)!.numbers();
  const at = axesOf(b, b.outShape.length).indexOf(axis);
  return b.constant(Tensor.float32([8], [0, 0, roi[at]!, 0, 1, 1, roi[at + roi.length / 2]!, 1]));
}

/** grid = θ · (x, y, 1): the points of the plain grid come from the operator itself with θ = identity. */
function affineGrid(b: Backward): InputGradients {
  const [samples = 1, dims = 2] = b.shapeOf(0);
  const unit = Tensor.float32(
    [1, dims, dims + 1],
    Array.from({ length: dims * (dims + 1) }, (_, i) => (i % (dims + 2) === 0 ? 1 : 0)),
  );
  const places = b.outShape.slice(1, -1);
  const count = sizeOf(places);
  const plain = b.op(
    "AffineGrid",
    [b.constant(unit), b.ints([1, 1, ...places])],
    Object.fromEntries(b.node.attributes),
  );
  const points = b.concat([b.reshape(plain, [count, dims]), b.filled([count, 1], 1)], 1);
  const dy = b.reshape(b.dy, [samples, count, dims]);
  return [b.matMul(b.swapLast(dy, 3), points)];
}

/** d det X = det X · tr(X⁻¹ dX), for matrices that have an inverse. */
function determinant(b: Backward): InputGradients {
  const shape = b.shapeOf(0);
  const inverse = b.op("Inverse", [b.input(0)], {}, { domain: "com.microsoft" });
  const scale = b.reshape(b.mul(b.dy, b.y), [...shape.slice(0, -2), 1, 1]);
  return [b.mul(b.swapLast(inverse, shape.length), scale)];
}

export const images = {
  AffineGrid: affineGrid,
  Det: determinant,
  GridSample: gridSample,
  ImageDecoder: { flat: "it reads bytes" },
  NonMaxSuppression: { flat: "it chooses boxes" },
  Resize: resize,
  Upsample: { none: "the operator was taken out at opset 10; an upgrade makes a Resize of it" },
} satisfies Record<string, GradientRow>;
