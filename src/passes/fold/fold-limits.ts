/**
 * What constant folding may compute. A file of a hundred bytes can ask for gigabytes, for hours, or for a division that
 * ends the process, so the size of every result is inferred before anything runs, and what nobody can tell is left.
 */

import { type Refused, refuse } from "../../base/inner.ts";
import { constantOf, dtypeOf, graphsOf, isOp, type LengthTable } from "../../facts/inner.ts";
import { limits } from "../../formats/inner.ts";
import type { Model, Node, Value } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import { sizeOf } from "../../tensor/inner.ts";

/** Bytes of an element whose type is not known. */
const widest = 8;

/** What is decided about a node: computed now, looked at again when its inputs are constants, or left for a reason. */
export type FoldVerdict = "now" | "later" | Refused;

/** The limits of one folding of one model; they count what has been allowed. */
export class FoldLimits {
  readonly #growth: number;
  #bytes: number;
  #work: number = limits.foldedWork;

  /** `growth`: bytes that one result may have beyond what it is made of. */
  constructor(model: Model, growth: number) {
    this.#growth = growth;
    let own = 0;
    for (const graph of graphsOf(model))
      for (const value of graph.initializers) own += value.initializer?.byteLength ?? 0;
    this.#bytes = limits.foldedBytes + 2 * own;
  }

  judge(node: Node, lengths: LengthTable): FoldVerdict {
    const danger = dangerOf(node);
    if (danger) return danger;
    const outputs = node.outputs.filter(({ name }) => name !== "").map((value) => lengths.shape(value));
    const inputs = node.inputs.map((value) => (value ? lengths.shape(value) : null));
    const given = node.inputs.every((value) => !value || constantOf(value));
    if (!outputs.every((shape) => shape !== undefined) || inputs.includes(undefined)) {
      const most = given ? mostElements(node) : undefined;
      if (most !== undefined) return this.#allow(node, lengths, most * node.outputs.length, most);
      return given ? refuse("how large its result is does not follow from its constants") : "later";
    }
    const elements = outputs.reduce((sum, shape) => sum + sizeOf(shape!), 0);
    if (outputs.some((shape) => shape!.some((length) => !Number.isSafeInteger(length) || length < 0)))
      return refuse("its result would have a negative length");
    const work = workOf(node, inputs as (readonly number[] | null)[], outputs as number[][]);
    return this.#allow(node, lengths, elements, work);
  }

  #allow(node: Node, lengths: LengthTable, elements: number, work: number | undefined): FoldVerdict {
    const bytes = elements * bytesOfElement(node.outputs[0]);
    if (bytes > this.#growth + bytesOfInputs(node, lengths))
      return refuse(`its ${elements} constant elements are much larger than what they are made of`);
    if (bytes > this.#bytes) return refuse(`its ${elements} constant elements are more than folding may make`);
    if (work === undefined || work > this.#work) return refuse("computing it would take long");
    this.#bytes -= bytes;
    this.#work -= work;
    return "now";
  }
}

/** Divisions of whole numbers that stop a process: by zero, and of the least number by −1. */
function dangerOf(node: Node): "later" | Refused | undefined {
  if (isOp(node, "ReduceMean")) {
    const data = constantOf(node.input(0));
    if (!data) return isWhole(node.input(0)) ? "later" : undefined;
    return data.size === 0 && isWhole(node.input(0)) ? refuse("it is a mean of no whole numbers") : undefined;
  }
  if (!isOp(node, "Div", "Mod") || !isWhole(node.input(0))) return undefined;
  const divisor = constantOf(node.input(1));
  if (!divisor) return "later";
  return divisor.numbers().some((n) => n === 0 || n === -1)
    ? refuse("whole numbers are divided by zero, or by −1, which does not hold for the least of them")
    : undefined;
}

const isWhole = (value: Value | null): boolean => /^u?int/.test(dtypeOf(value) ?? "int64");

/** How many elements an operator makes at most, whose result is as long as what it finds in its constants. */
function mostElements(node: Node): number | undefined {
  const data = constantOf(node.input(0));
  if (!data) return undefined;
  if (isOp(node, "NonZero")) return data.size * Math.max(data.shape.length, 1);
  return isOp(node, ...neverMore) ? data.size : undefined;
}

/** They pick from their first input, or arrange it again. */
const neverMore =
  "Compress DepthToSpace Flatten Reshape Slice SpaceToDepth Split Squeeze StringNormalizer Transpose Unique".split(" ");

/** Operators whose work grows faster than what goes in and out, in ways that no row counts. */
const costly = new Set(
  [
    "Attention CenterCropPad Col2Im DeformConv Det DFT ImageDecoder LinearAttention MaxRoiPool NonMaxSuppression RegexFullMatch",
    "RoiAlign STFT StringSplit TfIdfVectorizer",
  ]
    .join(" ")
    .split(" "),
);

/** Steps of work, about; undefined where nobody knows. */
function workOf(
  node: Node,
  inputs: readonly (readonly number[] | null)[],
  outputs: readonly (readonly number[])[],
): number | undefined {
  const row = rowOf(node);
  if (!row || node.domain !== "" || costly.has(node.op)) return undefined;
  const moved = [...inputs, ...outputs].reduce((sum, shape) => sum + (shape ? sizeOf(shape) : 0), 0);
  const window = (node.ints("kernel_shape") ?? node.ints("axes") ?? []).reduce((a, b) => a * Math.max(b, 1), 1);
  const each = Math.max(1, window, node.int("size", 1));
  if (!row.macs) return moved * each;
  const macs = row.macs(node, { inputs, outputs });
  return macs === undefined ? undefined : macs + moved;
}

function bytesOfElement(value: Value | undefined): number {
  const dtype = dtypeOf(value);
  return dtype && /float32|int32/.test(dtype) ? 4 : widest;
}

/** Bytes of what the node reads, each value counted once. */
function bytesOfInputs(node: Node, lengths: LengthTable): number {
  let bytes = 0;
  for (const value of new Set(node.inputs)) {
    if (!value) continue;
    bytes += constantOf(value)?.byteLength ?? sizeOf(lengths.shape(value) ?? [0]) * bytesOfElement(value);
  }
  return bytes;
}
