/** The adapters of every operator whose newer version reads differently; see unchanged.ts for all others. */
import { constantOf, dtypeOf, rankOf } from "../../facts/inner.ts";
import type { Node } from "../../ir/inner.ts";
import type { StandardOp } from "../../ops/inner.ts";
import { floatTensor, Tensor } from "../../tensor/inner.ts";
import { replaceNode, takeOver } from "../replace-node.ts";
import { type Adapter, type Adapters, intsToInput, type Raise, setAttribute } from "./adapter.ts";
import { batchNormalization9, batchNormalization14, groupNormalization21 } from "./normalization.ts";
import { scan9 } from "./scan.ts";

/** A number that was an attribute becomes an input of the data's own type. */
function floatToInput(node: Node, raise: Raise, name: string, index: number, value: number): void {
  node.attributes.delete(name);
  const dtype = dtypeOf(node.input(0)) ?? dtypeOf(node.output);
  if (dtype === undefined) throw raise.refusal(node, `the type of ${node.input(0)?.name} is not known`);
  if (!["float32", "float64", "float16", "bfloat16"].includes(dtype)) throw raise.refusal(node, `its data is ${dtype}`);
  node.graph!.setInput(
    node,
    index,
    raise.constant(
      node,
      name,
      floatTensor(dtype, [], () => value),
    ),
  );
}

/** min and max become inputs; the bounds that said "none" are left out. */
const clip11: Adapter = (node, raise) => {
  const bounds = { min: node.float("min"), max: node.float("max") };
  node.attributes.delete("min");
  node.attributes.delete("max");
  if (bounds.min !== undefined && bounds.min > -3.4e38) floatToInput(node, raise, "min", 1, bounds.min);
  if (bounds.max !== undefined && bounds.max < 3.4e38) floatToInput(node, raise, "max", 2, bounds.max);
};

/** The mask, which had the type of the data, is boolean from now on. */
const dropout10: Adapter = (node, raise) => {
  const mask = node.outputs[1];
  if (!mask || mask.useCount === 0) return;
  const dtype = dtypeOf(node.input(0)) ?? "float32";
  if (dtype !== "float32") throw raise.refusal(node, `its mask of type ${dtype} is read`);
  const made = replaceNode(node, {
    op: "Dropout",
    inputs: node.inputs,
    attributes: Object.fromEntries(node.attributes),
  });
  const old = made.outputs[1]!;
  const readers = [...old.uses()];
  const cast = made.graph!.insert(
    {
      op: "Cast",
      inputs: [old],
      outputs: [`${old.name}_float`],
      attributes: new Map([["to", { type: "int", value: 1 }]]),
    },
    { after: made },
  );
  made.graph!.replaceUses(old, cast.output, (use) => readers.includes(use));
};

/** In inference the ratio changes nothing; it is kept for who trains on. */
const dropout12: Adapter = (node, raise) => {
  const ratio = node.float("ratio");
  node.attributes.delete("ratio");
  if (ratio !== undefined) node.graph!.setInput(node, 1, raise.constant(node, "ratio", Tensor.scalar(ratio)));
};

const pad11: Adapter = (node, raise) => {
  const value = node.float("value", 0);
  node.attributes.delete("value");
  intsToInput("pads", 1)(node, raise);
  if (value !== 0) floatToInput(node, raise, "value", 2, value);
};

const slice10: Adapter = (node, raise) => {
  const axes = node.ints("axes");
  intsToInput("starts", 1)(node, raise);
  intsToInput("ends", 2)(node, raise);
  if (axes) intsToInput("axes", 3)(node, raise);
};

const topK10: Adapter = (node, raise) => {
  const k = node.int("k");
  if (k === undefined) throw raise.refusal(node, "it has no k");
  node.attributes.delete("k");
  node.graph!.setInput(node, 1, raise.ints(node, "k", [k]));
};

const upsample9: Adapter = (node, raise) => {
  const found = node.attributes.get("scales");
  if (found?.type !== "floats" && found?.type !== "ints") throw raise.refusal(node, "it has no scales");
  node.attributes.delete("scales");
  const scales = found.value.map(Number);
  node.graph!.setInput(node, 1, raise.constant(node, "scales", Tensor.float32([scales.length], scales)));
};

const upsample10: Adapter = (node) => {
  replaceNode(node, { op: "Resize", inputs: node.inputs, attributes: { mode: node.string("mode", "nearest") } });
};

/**
 * Resize-10 reads the place x / scale. "nearest" rounds it down when enlarging and up when reducing, which is what
 * ONNX Runtime does for version 10; from 11 on one node has one way of rounding.
 */
const resize11: Adapter = (node, raise) => {
  const scales = constantOf(node.input(1))?.numbers() ?? [1];
  const reduces = scales.some((s) => s < 1);
  const nearest = node.string("mode", "nearest") === "nearest";
  if (nearest && reduces && scales.some((s) => s > 1)) throw raise.refusal(node, "it enlarges and reduces at once");
  setAttribute(node, "coordinate_transformation_mode", "asymmetric");
  if (nearest) setAttribute(node, "nearest_mode", reduces ? "ceil" : "floor");
  const given = node.input(1);
  node.graph!.setInput(node, 2, given);
  node.graph!.setInput(node, 1, raise.constant(node, "roi", Tensor.float32([0], [])));
};

const scatter11: Adapter = (node) => {
  replaceNode(node, { op: "ScatterElements", inputs: node.inputs, attributes: { axis: node.int("axis", 0) } });
};

/**
 * Before 13 the axis only said where to cut: everything from it on was one row. The axis alone says the same where it
 * is the last one, or where all axes behind it have length 1; else the data is flattened and brought back.
 */
const softmax13: Adapter = (node, raise) => {
  const axis = node.int("axis", 1);
  const x = node.input(0)!;
  const rank = rankOf(x);
  const at = axis < 0 && rank !== undefined ? axis + rank : axis;
  const behind = x.type?.kind === "tensor" ? x.type.shape?.slice(at + 1) : undefined;
  if (axis === -1 || (rank !== undefined && at === rank - 1) || (at >= 0 && behind?.every((d) => d === 1))) {
    setAttribute(node, "axis", axis);
    return;
  }
  const shape = raise.before(node, "Shape", [x]);
  const flat = raise.before(node, "Flatten", [x], { axis });
  const rows = raise.before(node, node.op, [flat], { axis: 1 });
  const made = raise.before(node, "Reshape", [rows, shape]);
  takeOver(node.output, made);
  node.graph!.remove(node);
};

const roiAlign16: Adapter = (node) => {
  setAttribute(node, "coordinate_transformation_mode", "output_half_pixel");
};

const split18: Adapter = (node) => {
  if (!node.input(1)) setAttribute(node, "num_outputs", node.outputs.length);
};

const dft20: Adapter = (node, raise) => {
  const axis = node.int("axis", 1);
  node.attributes.delete("axis");
  node.graph!.setInput(node, 2, raise.constant(node, "axis", Tensor.scalar(axis, "int64")));
};

const gridSample20: Adapter = (node) => {
  const renamed: Record<string, string> = { bilinear: "linear", bicubic: "cubic" };
  const mode = node.string("mode", "bilinear");
  setAttribute(node, "mode", renamed[mode] ?? mode);
};

const axesToInput = intsToInput("axes", 1);
const reduce18: Adapters = { 18: axesToInput };

/** Operator → version → what makes a node of the version before mean the same in this one. */
export const adapters: Readonly<Partial<Record<StandardOp, Adapters>>> = {
  BatchNormalization: { 9: batchNormalization9, 14: batchNormalization14 },
  Clip: { 11: clip11 },
  DFT: { 20: dft20 },
  Dropout: { 10: dropout10, 12: dropout12 },
  GridSample: { 20: gridSample20 },
  GroupNormalization: { 21: groupNormalization21 },
  Hardmax: { 13: softmax13 },
  LogSoftmax: { 13: softmax13 },
  Pad: { 11: pad11 },
  ReduceL1: reduce18,
  ReduceL2: reduce18,
  ReduceLogSum: reduce18,
  ReduceLogSumExp: reduce18,
  ReduceMax: reduce18,
  ReduceMean: reduce18,
  ReduceMin: reduce18,
  ReduceProd: reduce18,
  ReduceSum: { 13: axesToInput },
  ReduceSumSquare: reduce18,
  Resize: { 11: resize11 },
  RoiAlign: { 16: roiAlign16 },
  Scan: { 9: scan9 },
  Scatter: { 11: scatter11 },
  Slice: { 10: slice10 },
  Softmax: { 13: softmax13 },
  Split: { 13: intsToInput("split", 1), 18: split18 },
  Squeeze: { 13: axesToInput },
  TopK: { 10: topK10 },
  Unsqueeze: { 13: axesToInput },
  Upsample: { 9: upsample9, 10: upsample10 },
};
