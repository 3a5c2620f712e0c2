/** Operators that move elements: their gradients move them back, and add where one was read several times. */
import type { Backward, GradientRow, InputGradients } from "../rule.ts";
import { movedBack } from "./movement-index.ts";
import { pending } from "./pending.ts";
import { slice } from "./slice.ts";

/** The same elements in the same order, so only the shape goes back. */
function reshaped(b: Backward): InputGradients {
  return [b.reshape(b.dy, b.shapeOf(0))];
}

function transpose(b: Backward): InputGradients {
  const rank = b.outShape.length;
  const perm = b.node.ints("perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  return [
    b.transpose(
      b.dy,
      perm.map((_, axis) => perm.indexOf(axis)),
    ),
  ];
}

/** A constant pad is cut off again; other modes add what they repeated. */
function pad(b: Backward): InputGradients {
  const { node, dy } = b;
  if (node.string("mode", "constant") !== "constant") return [movedBack(b)];
  const rank = b.outShape.length;
  const given = b.constantInts(1)!;
  const axes = b.constantInts(3)?.map((axis) => (axis + rank) % rank) ?? b.outShape.map((_, axis) => axis);
  const amount = (axis: number, end: 0 | 1) => {
    const at = axes.indexOf(axis);
    return at < 0 ? 0 : given[at + end * axes.length]!;
  };
  const both = ([0, 1] as const).flatMap((end) => b.outShape.map((_, axis) => amount(axis, end)));
  const back = b.op("Pad", [dy, b.ints(both.map((p) => -p))]);
  return [back, null, b.wants(2) ? b.reshape(b.sub(b.sum(dy), b.sum(back)), b.shapeOf(2)) : null];
}

function split(b: Backward): InputGradients {
  const { node } = b;
  const rank = b.shapeOf(0).length;
  const axis = (node.int("axis", 0) + rank) % rank;
  const parts = node.outputs.map((output, i) => b.gradient(i) ?? b.filled(b.shape(output), 0));
  return [b.concat(parts, axis)];
}

/** Rows of a table are added where they were read. */
function gather(b: Backward): InputGradients {
  const shape = b.shapeOf(0);
  const places = b.shapeOf(1);
  const axis = (b.node.int("axis", 0) + shape.length) % shape.length;
  const count = places.reduce((product, length) => product * length, 1);
  const flat = [...shape.slice(0, axis), count, ...shape.slice(axis + 1)];
  const dy = b.reshape(b.dy, flat);
  const single = count === 1 ? b.constantOf(b.input(1))?.numbers()[0] : undefined;
  if (single !== undefined) {
    const before = single < 0 ? single + shape[axis]! : single;
    const pads = [before, shape[axis]! - before - 1].flatMap((p) => shape.map((_, i) => (i === axis ? p : 0)));
    return [b.op("Pad", [dy, b.ints(pads)])];
  }
  const along = shape.map((_, i) => (i === axis ? count : 1));
  const indices = b.expand(b.reshape(b.input(1), along), flat);
  return [b.op("ScatterElements", [b.filled(shape, 0), indices, dy], { axis, reduction: "add" })];
}

export const movement = {
  CenterCropPad: pending,
  Compress: pending,
  DepthToSpace: pending,
  Expand: (b) => [b.unbroadcast(b.dy, b.outShape, b.shapeOf(0))],
  Flatten: reshaped,
  Gather: gather,
  GatherElements: pending,
  GatherND: pending,
  Identity: (b) => [b.dy],
  Pad: pad,
  Reshape: reshaped,
  ReverseSequence: pending,
  Slice: slice,
  SpaceToDepth: pending,
  Split: split,
  SplitToSequence: pending,
  Squeeze: reshaped,
  Tile: pending,
  TopK: pending,
  Transpose: transpose,
  Trilu: pending,
  Unique: pending,
  Unsqueeze: reshaped,
} satisfies Record<string, GradientRow>;
