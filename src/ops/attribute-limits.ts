/**
 * What the numbers in attributes may be. The schemas state types only; their prose states ranges, and kernels of the
 * runtime divide by them and allocate by them. A limit holds for every operator whose row has such an attribute.
 */
import type { Attribute, Node } from "../ir/inner.ts";

/** Axes beyond this many are in no format: NumPy stops at 64, ONNX Runtime's kernels at far fewer. */
const mostAxes = 64;
/** Lengths are int32 in the kernels that read them from attributes. */
const longest = 2 ** 31 - 1;

interface Limit {
  /** Each number, both inclusive. */
  readonly from: number;
  readonly to: number;
  /** How many numbers a list may have. */
  readonly most?: number;
}

const axis: Limit = { from: -mostAxes, to: mostAxes - 1, most: mostAxes };
const count: Limit = { from: 1, to: longest };
const window: Limit = { from: 1, to: longest, most: mostAxes };
const orNone: Limit = { from: 0, to: longest };
const flag: Limit = { from: 0, to: 1 };
/** Elements of a constant in an attribute, and positions to pad: signed, and no length of its own. */
const signed: Limit = { from: -longest, to: longest, most: 2 * mostAxes };
/** The numbers of ONNX's element types; 0 says "not told" where an attribute is optional. */
const elementType: Limit = { from: 0, to: 100 };

const limits: Readonly<Record<string, Limit>> = {
  axis,
  axes: axis,
  perm: { from: 0, to: mostAxes - 1, most: mostAxes },
  batch_axis: axis,
  time_axis: axis,
  batch_dims: { from: 0, to: mostAxes - 1 },
  scan_input_axes: { from: -mostAxes, to: mostAxes - 1 },
  scan_output_axes: { from: -mostAxes, to: mostAxes - 1 },
  kernel_shape: window,
  strides: window,
  dilations: window,
  pooled_shape: window,
  pads: signed,
  output_padding: { ...orNone, most: mostAxes },
  output_shape: { ...orNone, most: mostAxes },
  group: count,
  num_groups: count,
  groups: count,
  offset_group: count,
  num_heads: count,
  q_num_heads: count,
  kv_num_heads: count,
  hidden_size: count,
  blocksize: count,
  num_outputs: count,
  num_scan_inputs: count,
  output_height: count,
  output_width: count,
  sampling_ratio: orNone,
  block_size: orNone,
  size: count,
  k: { from: -longest, to: longest },
  p: count,
  layout: flag,
  to: elementType,
  dtype: elementType,
  output_dtype: elementType,
  output_datatype: elementType,
  stash_type: elementType,
  split: { ...orNone, most: 2 ** 16 },
  K: count,
  N: count,
  bits: { from: 1, to: 16 },
};

const words: Readonly<Record<string, readonly string[]>> = {
  auto_pad: ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"],
  direction: ["forward", "reverse", "bidirectional"],
};

/** What is wrong with the value of an attribute that the operator knows; its type has been looked at. */
export function valueFault(node: Node, name: string, attribute: Attribute, fallback: unknown): string | undefined {
  if (attribute.type === "string") {
    const known = node.op === "BitShift" ? undefined : words[name];
    if (!known || (typeof attribute.value === "string" && known.includes(attribute.value))) return undefined;
    return `expected ${name} to be one of ${known.join(", ")}, got ${JSON.stringify(attribute.value).slice(0, 40)}`;
  }
  const limit = limits[name];
  if (!limit) return undefined;
  if (attribute.type === "int") {
    // Where the default itself lies outside, it says "not told".
    return attribute.value === fallback ? undefined : numberFault(name, attribute.value, limit);
  }
  if (attribute.type !== "ints") return undefined;
  const { value } = attribute;
  if (limit.most !== undefined && value.length > limit.most)
    return `expected at most ${limit.most} numbers in ${name}, got ${value.length}`;
  for (const one of value) {
    const fault = numberFault(name, one, limit);
    if (fault) return fault;
  }
  if (name === "perm" && new Set(value).size !== value.length) return `expected each axis once in perm, got ${value}`;
  return name === "perm" && value.some((one) => Number(one) >= value.length)
    ? `expected perm to name axes 0 to ${value.length - 1}, got ${value}`
    : undefined;
}

function numberFault(name: string, value: number | bigint, { from, to }: Limit): string | undefined {
  return value >= from && value <= to ? undefined : `expected ${name} from ${from} to ${to}, got ${value}`;
}
