/**
 * AIMET's encodings files, versions 0.6.1, 1.0.0 (the default), 2.0.0 and 2.1.0: the same plan for Qualcomm's tools, next to the float
 * model.
 */

import { AvocetError, isRefused } from "../../base/inner.ts";
import { initializerOf, keepsGrid, vectorSlot } from "../../facts/inner.ts";
import type { Model, Value } from "../../ir/inner.ts";
import type { Shape } from "../../tensor/inner.ts";
import { Facts } from "../facts.ts";
import { type Encoding, encodingMin, type Granularity, zeroPoint } from "../grids/encoding.ts";
import { codecOf, gridName, isIntGrid, steps } from "../grids/grid.ts";
import { blockGroups } from "../grids/slices.ts";
import { packScales } from "../grids/two-level.ts";
import { biasEncoding } from "../plan/bias-encoding.ts";
import { isMoved } from "../plan/entry-at.ts";
import { entriesByValue, type Plan, type PlanEntry } from "../plan/plan.ts";
import { sortedJson } from "./sorted-json.ts";

export type EncodingsVersion = "0.6.1" | "1.0.0" | "2.0.0" | "2.1.0";

export interface EncodingsOptions {
  /** Default "1.0.0", as AIMET's. */
  readonly version?: EncodingsVersion;
  /** Whether versions from 2.0.0 on have the int32 grids of biases. Default true, as AIMET's. */
  readonly int32Bias?: boolean;
  /** AIMET's name of the scheme, for `quantizer_args`. Default "min_max". */
  readonly scheme?: string;
  /** Who wrote the file. Default: package "avocet" without a version. */
  readonly producer?: { readonly package: string; readonly version: string };
}

type Json = Record<string, unknown>;

/**
 * The plan's encodings as JSON text; `model` is the float model that the plan was placed on. Entries on float grids other than
 * half precision, and entries without an encoding, are left out, as the format has no words for them. Throws
 * `quant/unsupported-encodings` for what the version cannot say of an entry that has one: blocks in 0.6.1, three bits in 2.0.0.
 */
export function writeEncodings(plan: Plan, model: Model, options: EncodingsOptions = {}): string {
  const {
    version = "1.0.0",
    int32Bias = true,
    scheme = "min_max",
    producer = { package: "avocet", version: "" },
  } = options;
  const facts = new Facts(model, new Map());
  const values = model.graph.valuesByName();
  const shapeOf = ({ value }: PlanEntry): Shape => values.get(value)?.initializer?.shape ?? [];
  const isParameter = (entry: PlanEntry) => {
    const value = values.get(entry.value);
    return entry.parameter === true || (value !== undefined && facts.parameters(value).length > 0);
  };
  if (version === "2.0.0" || version === "2.1.0") {
    const entries = entriesByValue(plan);
    const shown = [...plan.entries.filter(isParameter), ...plan.entries.filter((entry) => !isParameter(entry))];
    const rows = shown.flatMap((entry) => [
      ...(entry.encoding && entry.kind !== "bias"
        ? [rowOf2(entry.value, entry.encoding, shapeOf(entry), version)]
        : []),
      ...(int32Bias ? biasesOf(entry, values.get(entry.value), entries, facts) : []).map(([name, encoding]) =>
        rowOf2(name, encoding, [encoding.scale.length], version),
      ),
    ]);
    return sortedJson({ version, producer, encodings: rows });
  }
  const listed = plan.entries.filter(
    (entry) => entry.kind !== "bias" && !isMoved(model, entry) && (entry.encoding || isHalf(entry)),
  );
  const [parameters, activations] = [listed.filter(isParameter), listed.filter((entry) => !isParameter(entry))];
  const section = (entries: readonly PlanEntry[]) =>
    version === "1.0.0"
      ? entries.map((entry) => rowOf1(entry, shapeOf(entry)))
      : Object.fromEntries(entries.map((entry) => [entry.value, rowsOf0(entry)]));
  return sortedJson({
    version,
    producer,
    activation_encodings: section(activations),
    param_encodings: section(parameters),
    quantizer_args: quantizerArguments(activations, parameters, scheme),
  });
}

function isHalf({ grid }: PlanEntry): boolean {
  return grid.kind === "float" && grid.dtype === "float16";
}

function quantizerArguments(activations: readonly PlanEntry[], parameters: readonly PlanEntry[], scheme: string): Json {
  const bits = (entry: PlanEntry | undefined, fallback: number) =>
    entry && isIntGrid(entry.grid) ? entry.grid.bits : fallback;
  return {
    activation_bitwidth: bits(activations[0], 8),
    param_bitwidth: bits(parameters[0], 8),
    dtype: "int",
    is_symmetric: parameters[0]?.symmetric ?? true,
    per_channel_quantization: parameters.some((entry) => entry.granularity.kind === "channel"),
    quant_scheme: scheme,
  };
}

function unsupported(value: string, problem: string, hint: string): AvocetError {
  return new AvocetError("quant/unsupported-encodings", problem, { at: value, hint });
}

/** One scale and one offset for each channel and block, channels first: positions of a kernel share theirs. */
function perBlock(value: string, encoding: Encoding, shape: Shape): Pick<Encoding, "scale" | "offset"> {
  const { granularity, scale, offset } = encoding;
  if (granularity.kind !== "block") return encoding;
  const groups = blockGroups(shape, granularity);
  const first: number[] = [];
  groups.forEach((group, slice) => {
    first[group] ??= slice;
    if (scale[first[group]] !== scale[slice] || offset[first[group]] !== offset[slice])
      throw unsupported(
        value,
        "expected one scale for all places of a kernel, got several",
        "AIMET's blocks go over input channels: quantize again with --granularity channel",
      );
  });
  return { scale: first.map((slice) => scale[slice]!), offset: first.map((slice) => offset[slice]!) };
}

/** Grids that versions before 2.0.0 have no words for. */
function refuseList(value: string, { grid }: Encoding): void {
  if (grid.kind === "int") return;
  throw unsupported(value, `expected integers for versions before 2.0.0, got ${gridName(grid)}`, "--format 2.0.0");
}

function rowsOf0({ value, encoding, symmetric }: PlanEntry): Json[] {
  if (!encoding) return [{ bitwidth: 16, dtype: "float" }];
  refuseList(value, encoding);
  if (encoding.granularity.kind === "block") {
    throw unsupported(
      value,
      "expected scales per tensor or per channel for version 0.6.1, got blocks",
      "--format 1.0.0",
    );
  }
  return encoding.scale.map((scale, i) => ({
    bitwidth: codecOf(encoding.grid).bits,
    dtype: "int",
    is_symmetric: symmetric ? "True" : "False",
    min: encodingMin(encoding, i),
    // AIMET writes one step more than a strict symmetric grid has, and infers from the offset that it is one.
    max: scale * (encoding.offset[i]! + steps(encoding.grid)),
    offset: encoding.offset[i],
    scale,
  }));
}

function rowOf1({ value, encoding, symmetric }: PlanEntry, shape: Shape): Json {
  if (!encoding) return { name: value, enc_type: "PER_TENSOR", dtype: "FLOAT", bw: 16 };
  const { granularity, twoLevel } = encoding;
  const { scale, offset } = perBlock(value, encoding, shape);
  const isHalves = encoding.grid.kind === "halves";
  if (!isHalves) refuseList(value, encoding);
  const factors = twoLevel?.form === "lpbq" ? packScales(encoding, shape) : undefined;
  if (factors && granularity.kind === "block") {
    const { coarse, most = 1 } = twoLevel!;
    const { bits } = codecOf(encoding.grid);
    const wide = bits + Math.log2(most);
    return {
      name: value,
      enc_type: "LPBQ",
      dtype: "INT",
      bw: wide,
      is_sym: symmetric,
      scale: coarse,
      offset: coarse.map(() => -(2 ** (wide - 1))),
      block_size: granularity.size,
      compressed_bw: bits,
      per_block_int_scale: factors,
    };
  }
  return {
    name: value,
    enc_type: `PER_${granularity.kind.toUpperCase()}`,
    dtype: "INT",
    bw: codecOf(encoding.grid).bits,
    is_sym: symmetric || isHalves,
    scale,
    offset: isHalves ? offset.map(() => -2) : offset,
    ...(isHalves ? { zero_point_shift: offset.map(() => 0.5) } : {}),
    ...(granularity.kind === "block" ? { block_size: granularity.size } : {}),
  };
}

function rowOf2(name: string, given: Encoding, shape: Shape, version: EncodingsVersion): Json {
  // What is not symmetric is written unsigned, as AIMET does: the numbers are the same.
  const grid = isIntGrid(given.grid) ? { ...given.grid, signed: given.grid.signed && given.symmetric } : given.grid;
  const encoding = { ...given, grid };
  const { granularity } = encoding;
  const isHalves = grid.kind === "halves";
  if (grid.kind === "int" && codecOf(grid).stored !== gridName(grid))
    throw unsupported(name, `expected a type of ONNX for version ${version}, got ${gridName(grid)}`, "--format 1.0.0");
  const { scale, offset } = perBlock(name, encoding, shape);
  const points = offset.map((_, i) => (isHalves ? -0.5 : zeroPoint({ ...encoding, scale, offset }, i) + 0));
  const shaped = (list: readonly number[]) => shapedAs(list, granularity, shape);
  const form = encoding.twoLevel?.form;
  const isNested = version === "2.1.0" && (form === "lpbq" || form === "nvfp4");
  const factors = isNested || form === "lpbq" ? packScales(encoding, shape) : undefined;
  const scales =
    isNested && factors
      ? { y_scale: nested(encoding, factors, shape) }
      : factors
        ? { per_block_int_scale: shaped(factors), per_channel_float_scale: perChannel(encoding, shape) }
        : { y_scale: shaped(scale) };
  return {
    name,
    output_dtype: isHalves ? "int2" : gridName(grid),
    ...scales,
    ...(points.some((point) => point !== 0) ? { y_zero_point: shaped(points) } : {}),
    ...(granularity.kind === "tensor" ? {} : { axis: granularity.axis }),
    ...(granularity.kind === "block" ? { block_size: granularity.size } : {}),
  };
}

/** Version 2.1.0: the scales are quantized themselves, x times x_scale; factors of LPBQ in the narrowest integers that hold them. */
function nested(encoding: Encoding, factors: readonly number[], shape: Shape): Json {
  const { granularity, twoLevel } = encoding;
  const x = shapedAs(factors, granularity, shape);
  if (twoLevel!.form === "nvfp4") return { x, x_scale: twoLevel!.coarse[0], input_dtype: "float8e4m3fn" };
  const most = factors.reduce((a, b) => Math.max(a, b), 1);
  const bits = [2, 4, 8, 16].find((width) => most < 2 ** width);
  const whole =
    granularity.kind === "block"
      ? { axis: granularity.axis, block_size: shape[granularity.axis]! / granularity.size }
      : {};
  return { x, x_scale: perChannel(encoding, shape), input_dtype: `uint${bits}`, ...whole };
}

/** The coarse scales in the shape of the blocks, of which there is one. */
function perChannel({ granularity, twoLevel }: Encoding, shape: Shape): unknown {
  if (granularity.kind !== "block") return undefined;
  const whole = { ...granularity, size: shape[granularity.axis]! };
  return shapedAs(twoLevel!.coarse, whole, shape);
}

/** A number, a list, or for blocks lists within lists in the tensor's axes, of which all others have length 1. */
function shapedAs(list: readonly number[], granularity: Granularity, shape: Shape): unknown {
  if (granularity.kind === "tensor") return list[0];
  if (granularity.kind === "channel") return list;
  const { axis, size, channelAxis } = granularity;
  const blocks = shape[axis]! / size;
  const nest = (at: number, channel: number, block: number): unknown => {
    if (at === shape.length) return list[channel * blocks + block];
    const length = at === axis ? blocks : at === channelAxis ? shape[at]! : 1;
    return Array.from({ length }, (_, i) => nest(at + 1, at === channelAxis ? i : channel, at === axis ? i : block));
  };
  return nest(0, 0, 0);
}

/** The int32 grids of the biases next to a weight: the plan's, or where it leaves them float those that a kernel would use. */
function biasesOf(
  weight: PlanEntry,
  value: Value | undefined,
  entries: ReadonlyMap<string, PlanEntry>,
  facts: Facts,
): [string, Encoding][] {
  const found: [string, Encoding][] = [];
  for (const { node, layer, kind, index } of value ? facts.parameters(value) : []) {
    const axes = layer && !isRefused(layer) && index === layer.weight.index ? layer.axes : undefined;
    const slot = axes && !isRefused(axes) ? vectorSlot(node, axes.outputs) : undefined;
    const bias = slot && !isRefused(slot) ? slot.node.input(slot.index) : undefined;
    if (kind !== "weight" || !weight.encoding || !bias || initializerOf(bias)?.shape.length !== 1) continue;
    let input = node.input(0);
    while (input && !entries.has(input.name) && input.producer && keepsGrid(input.producer))
      input = input.producer.input(0);
    const encoding = input ? entries.get(input.name)?.encoding : undefined;
    const entry = entries.get(bias.name);
    const own = entry?.encoding;
    // One on a grid of its own is in the file as every other entry is.
    if (own && entry.kind !== "bias") continue;
    if (own) found.push([bias.name, own]);
    else if (encoding) found.push([bias.name, biasEncoding(encoding, weight.encoding, bias.initializer!.size)]);
  }
  return found;
}
