/** GridSample (Jaderberg et al., Spatial Transformer Networks, 2015). */
import type { Value } from "../../../ir/inner.ts";
import { sizeOf } from "../../../tensor/inner.ts";
import type { Backward, InputGradients } from "../../rule.ts";
import { type Coordinate, cornersOf, nearestOf, toCoordinates, toImages } from "./sampling.ts";

/** Where the points lie, and how far they move when the grid does. */
interface Placed extends Coordinate {
  readonly slope: Value;
}

export function gridSample(b: Backward): InputGradients {
  const mode = b.node.string("mode", "linear");
  if (mode === "cubic" || mode === "bicubic")
    throw b.refusal("its cubic mode has no rule; linear and nearest have one");
  const [images = 1, channels = 1, ...lengths] = b.shapeOf(0);
  const points = sizeOf(b.outShape.slice(2));
  const samples = { images, channels, points, size: sizeOf(lengths) };
  const grid = b.reshape(b.input(1), [images, points, lengths.length]);
  // The grid names the last axis first.
  const coordinates = lengths.map((length, axis) => {
    const index = lengths.length - 1 - axis;
    const raw = b.slice(grid, [2], [index], [index + 1]);
    return placed(b, b.reshape(raw, [images, 1, points]), length);
  });
  const dy = b.reshape(b.dy, [images, channels, points]);
  const corners = mode === "nearest" ? [nearestOf(b, coordinates)] : cornersOf(b, coordinates);
  const toGrid = () => {
    const flat = b.reshape(b.input(0), [images, channels, samples.size]);
    const axes = toCoordinates(b, dy, flat, corners, samples).map((gradient, axis) =>
      b.reshape(b.mul(gradient, coordinates[axis]!.slope), [images, points, 1]),
    );
    return b.reshape(b.concat(axes.reverse(), 2), b.shapeOf(1));
  };
  return [
    b.wants(0) ? b.reshape(toImages(b, dy, corners, samples), b.shapeOf(0)) : null,
    b.wants(1) && mode !== "nearest" ? toGrid() : null,
  ];
}

/** From −1 … 1 to elements, then what the padding mode makes of points outside. */
function placed(b: Backward, raw: Value, length: number): Placed {
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
