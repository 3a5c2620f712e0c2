/** GridSample (Jaderberg et al., Spatial Transformer Networks, 2015): every output is a mix of the corners around a point. */
import type { Value } from "../../ir/index.ts";
import { sizeOf } from "../../tensor/index.ts";
import type { Backward, InputGradients } from "../rule.ts";

/** Where the points of one spatial axis lie, in elements, and how far they move when the grid does. [N, 1, P]. */
interface Coordinate {
  readonly at: Value;
  readonly slope: Value;
  readonly length: number;
}

export function gridSample(b: Backward): InputGradients {
  const mode = b.node.string("mode", "linear");
  if (mode === "cubic" || mode === "bicubic")
    throw b.refusal("its cubic mode has no rule; linear and nearest have one");
  const shape = b.shapeOf(0);
  const [samples = 1, channels = 1, ...lengths] = shape;
  const points = sizeOf(b.outShape.slice(2));
  const grid = b.reshape(b.input(1), [samples, points, lengths.length]);
  // The grid names the last axis first.
  const coordinates = lengths.map((length, axis) => {
    const index = lengths.length - 1 - axis;
    const raw = b.slice(grid, [2], [index], [index + 1]);
    return coordinateOf(b, b.reshape(raw, [samples, 1, points]), length);
  });
  const dy = b.reshape(b.dy, [samples, channels, points]);
  const corners = mode === "nearest" ? [nearest(b, coordinates)] : cornersOf(b, coordinates);
  return [
    b.wants(0) ? toPicture(b, dy, corners, [samples, channels, sizeOf(lengths)], points) : null,
    b.wants(1) && mode !== "nearest" ? toGrid(b, dy, corners, coordinates, [samples, channels, points]) : null,
  ];
}

/** From −1 … 1 to elements, then what the padding mode makes of points outside. */
function coordinateOf(b: Backward, raw: Value, length: number): Coordinate {
  const corners = b.node.int("align_corners", 0) !== 0;
  const scale = corners ? (length - 1) / 2 : length / 2;
  const at = b.add(b.mul(raw, scale), b.scalar((length - 1) / 2));
  const padding = b.node.string("padding_mode", "zeros");
  const constant = b.scalar(scale);
  if (padding === "zeros") return { at, slope: constant, length };
  const reflected = padding === "reflection" ? reflect(b, at, corners ? 0 : -0.5, corners ? length - 1 : length) : null;
  const moved = reflected?.at ?? at;
  const inside = b.within(b.sub(moved, b.scalar((length - 1) / 2)), (length - 1) / 2);
  const slope = b.mul(reflected ? b.mul(inside, reflected.sign) : inside, constant);
  return { at: b.op("Clip", [moved, b.scalar(0), b.scalar(length - 1)]), slope, length };
}

/** A mirror at both ends of [low, low + span]: a triangle wave. */
function reflect(b: Backward, at: Value, low: number, span: number): { at: Value; sign: Value } {
  const offset = b.sub(at, b.scalar(low));
  const way = b.op("Mod", [b.op("Abs", [offset]), b.scalar(2 * span)], { fmod: 1 });
  const back = b.sub(way, b.scalar(span));
  const sign = b.neg(b.mul(b.op("Sign", [back]), b.op("Sign", [offset])));
  return { at: b.sub(b.scalar(low + span), b.op("Abs", [back])), sign };
}

/** One element that takes part in every point: its flat index, its weight for each axis, zero outside the picture. */
interface Corner {
  readonly index: Value;
  readonly weights: readonly Value[];
  /** +1 where the weight of an axis grows with the coordinate, −1 where it shrinks; masked like the weights. */
  readonly growth: readonly Value[];
}

function cornersOf(b: Backward, coordinates: readonly Coordinate[]): Corner[] {
  const sides = coordinates.map(({ at, length }) => {
    const low = b.op("Floor", [at]);
    const fraction = b.sub(at, low);
    const high = b.add(low, b.scalar(1));
    const [isLow, isHigh] = [insideOf(b, low, length), insideOf(b, high, length)];
    return [
      { index: low, weight: b.mul(isLow, b.sub(b.scalar(1), fraction)), growth: b.neg(isLow), length },
      { index: high, weight: b.mul(isHigh, fraction), growth: isHigh, length },
    ];
  });
  const all = sides.reduce<(typeof sides)[number][]>(
    (found, axis) => found.flatMap((corner) => axis.map((side) => [...corner, side])),
    [[]],
  );
  return all.map((corner) => ({
    index: flatIndex(b, corner),
    weights: corner.map(({ weight }) => weight),
    growth: corner.map(({ growth }) => growth),
  }));
}

function nearest(b: Backward, coordinates: readonly Coordinate[]): Corner {
  const sides = coordinates.map(({ at, length }) => ({ index: b.op("Round", [at]), length }));
  return {
    index: flatIndex(b, sides),
    weights: sides.map(({ index, length }) => insideOf(b, index, length)),
    growth: [],
  };
}

function insideOf(b: Backward, index: Value, length: number): Value {
  return b.within(b.sub(index, b.scalar((length - 1) / 2)), length / 2);
}

function flatIndex(b: Backward, sides: readonly { readonly index: Value; readonly length: number }[]): Value {
  const flat = sides
    .map(({ index, length }) => ({ index: b.op("Clip", [index, b.scalar(0), b.scalar(length - 1)]), length }))
    .reduce((sum, side) => ({ index: b.add(b.mul(sum.index, side.length), side.index), length: side.length }));
  return b.op("Cast", [flat.index], { to: 7 });
}

function toPicture(
  b: Backward,
  dy: Value,
  corners: readonly Corner[],
  [samples, channels, size]: readonly [number, number, number],
  points: number,
): Value {
  const product = (values: readonly Value[]) => values.reduce((a, c) => b.mul(a, c));
  const wide = (value: Value) => b.expand(value, [samples, channels, points]);
  const indices = b.concat(
    corners.map(({ index }) => wide(index)),
    2,
  );
  const parts = b.concat(
    corners.map(({ weights }) => b.mul(dy, product(weights))),
    2,
  );
  const zeros = b.filled([samples, channels, size], 0);
  return b.reshape(b.op("ScatterElements", [zeros, indices, parts], { axis: 2, reduction: "add" }), b.shapeOf(0));
}

function toGrid(
  b: Backward,
  dy: Value,
  corners: readonly Corner[],
  coordinates: readonly Coordinate[],
  [samples, channels, points]: readonly [number, number, number],
): Value {
  const flat = b.reshape(b.input(0), [samples, channels, -1]);
  // What each corner weighs in dy, summed over channels: [N, 1, P].
  const pulls = corners.map(({ index }) => {
    const picked = b.op("GatherElements", [flat, b.expand(index, [samples, channels, points])], { axis: 2 });
    return b.sum(b.mul(dy, picked), [1], true);
  });
  const axes = coordinates.map(({ slope }, axis) => {
    const parts = corners.map(({ weights, growth }, corner) =>
      weights.reduce(
        (product, weight, other) => (other === axis ? product : b.mul(product, weight)),
        b.mul(pulls[corner]!, growth[axis]!),
      ),
    );
    const sum = parts.length === 1 ? parts[0]! : b.op("Sum", parts);
    return b.reshape(b.mul(sum, slope), [samples, points, 1]);
  });
  return b.reshape(b.concat(axes.reverse(), 2), b.shapeOf(1));
}
