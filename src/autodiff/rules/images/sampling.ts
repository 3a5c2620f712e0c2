/** Bilinear samples of images at computed points, in any number of axes: every point mixes the elements around it. */
import type { Value } from "../../../ir/inner.ts";
import type { Emitter } from "../../emitter.ts";

/** Where the points lie along one spatial axis, in elements: [N, 1, P]. */
export interface Coordinate {
  readonly at: Value;
  readonly length: number;
}

/** One element that takes part in every point: its flat index, and its weight for each axis, zero outside the image. */
export interface Corner {
  readonly index: Value;
  readonly weights: readonly Value[];
  /** +1 where the weight of an axis grows with the coordinate, −1 where it shrinks; masked like the weights. */
  readonly growth: readonly Value[];
}

/** N images of C channels with a number of elements each, and how many points are sampled. */
export interface Samples {
  readonly images: number;
  readonly channels: number;
  readonly size: number;
  readonly points: number;
}

/** The elements around each point: 2 ^ axes. */
export function cornersOf(e: Emitter, coordinates: readonly Coordinate[]): Corner[] {
  const sides = coordinates.map(({ at, length }) => {
    const low = e.op("Floor", [at]);
    const fraction = e.sub(at, low);
    const high = e.add(low, e.scalar(1));
    const [isLow, isHigh] = [insideOf(e, low, length), insideOf(e, high, length)];
    return [
      { at: low, weight: e.mul(isLow, e.sub(e.scalar(1), fraction)), growth: e.neg(isLow), length },
      { at: high, weight: e.mul(isHigh, fraction), growth: isHigh, length },
    ];
  });
  const all = sides.reduce<(typeof sides)[number][]>(
    (found, axis) => found.flatMap((corner) => axis.map((side) => [...corner, side])),
    [[]],
  );
  return all.map((corner) => ({
    index: flatIndex(e, corner),
    weights: corner.map(({ weight }) => weight),
    growth: corner.map(({ growth }) => growth),
  }));
}

/** The element nearest to each point. */
export function nearestOf(e: Emitter, coordinates: readonly Coordinate[]): Corner {
  const sides = coordinates.map(({ at, length }) => ({ at: e.op("Round", [at]), length }));
  return {
    index: flatIndex(e, sides),
    weights: sides.map(({ at, length }) => insideOf(e, at, length)),
    growth: [],
  };
}

/** 1 where a whole index lies in 0 … length − 1. */
function insideOf(e: Emitter, index: Value, length: number): Value {
  return e.within(e.sub(index, e.scalar((length - 1) / 2)), length / 2);
}

function flatIndex(e: Emitter, sides: readonly Coordinate[]): Value {
  const flat = sides
    .map(({ at, length }) => ({ at: e.op("Clip", [at, e.scalar(0), e.scalar(length - 1)]), length }))
    .reduce((sum, side) => ({ at: e.add(e.mul(sum.at, side.length), side.at), length: side.length }));
  return e.op("Cast", [flat.at], { to: 7 });
}

/** What each corner reads of the images [N, C, size]: [N, C, P]. */
export function pickedBy(e: Emitter, flat: Value, { index }: Corner, { images, channels, points }: Samples): Value {
  return e.op("GatherElements", [flat, e.expand(index, [images, channels, points])], { axis: 2 });
}

/** The samples themselves, [N, C, P]. */
export function sampled(e: Emitter, flat: Value, corners: readonly Corner[], samples: Samples): Value {
  return e.op(
    "Sum",
    corners.map((corner) => e.mul(pickedBy(e, flat, corner, samples), product(e, corner.weights))),
  );
}

/** The gradient of the images [N, C, size] from that of the samples, `g` [N, C, P]. */
export function toImages(e: Emitter, g: Value, corners: readonly Corner[], samples: Samples): Value {
  const { images, channels, size, points } = samples;
  const indices = e.concat(
    corners.map(({ index }) => e.expand(index, [images, channels, points])),
    2,
  );
  const parts = e.concat(
    corners.map(({ weights }) => e.mul(g, product(e, weights))),
    2,
  );
  const zeros = e.filled([images, channels, size], 0);
  return e.op("ScatterElements", [zeros, indices, parts], { axis: 2, reduction: "add" });
}

/** The gradient of each coordinate, [N, 1, P]. */
export function toCoordinates(
  e: Emitter,
  g: Value,
  flat: Value,
  corners: readonly Corner[],
  samples: Samples,
): readonly Value[] {
  // What each corner weighs in g, summed over channels.
  const pulls = corners.map((corner) => e.sum(e.mul(g, pickedBy(e, flat, corner, samples)), [1], true));
  return corners[0]!.growth.map((_, axis) => {
    const parts = corners.map(({ weights, growth }, i) =>
      weights.reduce(
        (all, weight, other) => (other === axis ? all : e.mul(all, weight)),
        e.mul(pulls[i]!, growth[axis]!),
      ),
    );
    return e.op("Sum", parts);
  });
}

function product(e: Emitter, values: readonly Value[]): Value {
  return values.reduce((a, c) => e.mul(a, c));
}
