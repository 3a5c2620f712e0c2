/**
 * What operators that move data put next to what they move: the fill of a Pad, the zeros of a MaxUnpool. Whoever carries a fact
 * about numbers from input to output (a grid, a range, an interval) must ask, for what is added need not obey it.
 */
import type { Node, Value } from "../ir/inner.ts";
import { ops, rowOf } from "./table.ts";

/** Numbers that may stand among the moved ones; "anything" where they are computed. */
export type Added = readonly number[] | "anything";

interface Adding {
  readonly adds: Added | ((node: Node) => Added);
  readonly reason: string;
}

const moved: Adding = { adds: [], reason: "every element of the output is one of the input" };
const zeros: Adding = { adds: [0], reason: "places that nothing is written to hold zero" };
const maximum: Adding = {
  adds: [],
  reason: "an extreme of elements is one of them; what pads a window is never chosen",
};

const pad: Adding = {
  adds: (node) => (node.string("mode", "constant") === "constant" ? fillOf(node.input(2), node.float("value", 0)) : []),
  reason:
    "a constant Pad fills in its value (attribute before opset 11, input since); edge, reflect and wrap repeat elements",
};

const dropout: Adding = {
  adds: (node) => (node.int("training_mode", 0) !== 0 || fillsIn(node.input(2)) ? "anything" : []),
  reason: "in training it scales what it keeps",
};

const resize: Adding = {
  adds: (node) =>
    node.string("coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize"
      ? [node.float("extrapolation_value", 0)]
      : [],
  reason: "a crop that reaches beyond the image holds extrapolation_value there",
};

/** One row for every operator that moves data (`Semantics.movesData`), and for Resize, which does by nearest neighbours. */
export const additions = {
  BitmaskDropout: dropout,
  CenterCropPad: { adds: [0], reason: "it pads with zeros" },
  Compress: moved,
  DepthToSpace: moved,
  Dropout: dropout,
  Expand: moved,
  ExpandDims: moved,
  Flatten: moved,
  Gather: moved,
  GatherElements: moved,
  GatherND: moved,
  GlobalMaxPool: maximum,
  Identity: moved,
  MaxPool: maximum,
  MaxRoiPool: { adds: [0], reason: "a region without an element gives zero" },
  MaxUnpool: zeros,
  MaxpoolWithMask: maximum,
  NhwcMaxPool: maximum,
  Pad: pad,
  ReduceMax: maximum,
  ReduceMin: maximum,
  RemovePadding: moved,
  Reshape: moved,
  Resize: resize,
  RestorePadding: zeros,
  ReverseSequence: moved,
  SequenceAt: moved,
  Slice: moved,
  SpaceToDepth: moved,
  Split: moved,
  SplitToSequence: moved,
  Squeeze: moved,
  Tile: moved,
  TopK: moved,
  Transpose: moved,
  Trilu: { adds: [0], reason: "the other triangle is zero" },
  UnfoldTensor: moved,
  Unique: moved,
  Unsqueeze: moved,
  Upsample: moved,
} satisfies Record<string, Adding>;

/** What the node adds to what it moves; "anything" for an operator that moves nothing. */
export function addedBy(node: Node): Added {
  const row: Adding | undefined = Object.hasOwn(additions, node.op)
    ? additions[node.op as keyof typeof additions]
    : undefined;
  if (!row || !(rowOf(node)?.movesData || row === resize || node.op === "Upsample")) return "anything";
  return typeof row.adds === "function" ? row.adds(node) : row.adds;
}

/** Operators that move data, by name: those that need a row here. */
export const movers: readonly string[] = Object.entries(ops)
  .filter(([, row]) => row.movesData)
  .map(([name]) => name.split(".").at(-1)!);

function fillOf(value: Value | null, attribute: number): Added {
  if (!value) return [attribute];
  const data = value.isGraphInput ? undefined : value.initializer;
  return data ? Array.from(data.numbers()) : "anything";
}

/** Whether a flag is set, or may be. */
function fillsIn(flag: Value | null): boolean {
  if (!flag) return false;
  const data = flag.isGraphInput ? undefined : flag.initializer;
  return data?.numbers()[0] !== 0;
}
