/** Operators that move elements: their gradients move them back, and add where one was read several times. */
import type { Backward, GradientRow, InputGradients } from "../../rule.ts";
import { sequenceElements } from "./containers.ts";
import { addAlongAxis, movedBack } from "./movement-index.ts";
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
  const given = b.constantNumbers(1)!;
  const axes = b.constantNumbers(3)?.map((axis) => (axis + rank) % rank) ?? b.outShape.map((_, axis) => axis);
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
  return [addAlongAxis(b, b.input(1), count, dy, shape, axis)];
}

/** Elements that were taken along an axis are added back at their positions. */
function gatherElements(b: Backward): InputGradients {
  const axis = b.node.int("axis", 0);
  return [b.op("ScatterElements", [b.filled(b.shapeOf(0), 0), b.input(1), b.dy], { axis, reduction: "add" })];
}

/** Cut or padded around the middle, and back in the same way. */
function centerCropPad(b: Backward): InputGradients {
  const shape = b.shapeOf(0);
  const axes = b.node.ints("axes") ?? shape.map((_, axis) => axis);
  const lengths = axes.map((axis) => shape.at(axis)!);
  return [b.op("CenterCropPad", [b.dy, b.ints(lengths)], { axes: [...axes] })];
}

/** DCR is the inverse of SpaceToDepth; CRD has the channels outside. */
function depthToSpace(b: Backward): InputGradients {
  const { node } = b;
  const size = node.int("blocksize", 1);
  if (node.string("mode", "DCR") === "DCR") return [b.op("SpaceToDepth", [b.dy], { blocksize: size })];
  const [n, c, h, w] = b.shapeOf(0) as [number, number, number, number];
  const blocks = b.reshape(b.dy, [n, c / size ** 2, h, size, w, size]);
  return [b.reshape(b.transpose(blocks, [0, 1, 3, 5, 2, 4]), [n, c, h, w])];
}

/** Copies are summed: [n · r] as [r, n] for each axis. */
function tile(b: Backward): InputGradients {
  const [from, to] = [b.outShape, b.shapeOf(0)];
  const repeats = to.map((length, axis) => (length === 0 ? 1 : from[axis]! / length));
  const split = to.flatMap((length, axis) => [repeats[axis]!, length]);
  const axes = to.map((_, axis) => 2 * axis);
  return [b.sum(b.reshape(b.dy, split), axes)];
}

/** The values go back to the positions that the operator reports itself. */
function topK(b: Backward): InputGradients {
  const axis = b.node.int("axis", -1);
  return [b.op("ScatterElements", [b.filled(b.shapeOf(0), 0), b.node.outputs[1]!, b.dy], { axis })];
}

/** The same reversal undoes it. */
function reverseSequence(b: Backward): InputGradients {
  const { node } = b;
  const attributes = { batch_axis: node.int("batch_axis", 1), time_axis: node.int("time_axis", 0) };
  return [b.op("ReverseSequence", [b.dy, b.input(1)], attributes)];
}

/** What was kept passes. */
function trilu(b: Backward): InputGradients {
  return [b.op("Trilu", [b.dy, b.node.input(1)], { upper: b.node.int("upper", 1) })];
}

export const movement = {
  CenterCropPad: centerCropPad,
  Compress: (b) => [movedBack(b)],
  DepthToSpace: depthToSpace,
  Expand: (b) => [b.unbroadcast(b.dy, b.outShape, b.shapeOf(0))],
  Flatten: reshaped,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: (b) => [movedBack(b)],
  Identity: (b) => [b.dy],
  Pad: pad,
  Reshape: reshaped,
  ReverseSequence: reverseSequence,
  Slice: slice,
  SpaceToDepth: (b) => [b.op("DepthToSpace", [b.dy], { blocksize: b.node.int("blocksize", 1) })],
  Split: split,
  SplitToSequence: sequenceElements,
  Squeeze: reshaped,
  Tile: tile,
  TopK: topK,
  Transpose: transpose,
  Trilu: trilu,
  Unique: { none: "how many elements it gives depends on their values, and a gradient has fixed lengths" },
  Unsqueeze: reshaped,
} satisfies Record<string, GradientRow>;
