/** Reads AIMET's encodings files (0.6.1, 1.0.0, 2.0.0, 2.1.0). What is wrong in itself is refused here, what does not fit a model in apply-encodings.ts. */
import { z } from "zod";
import { AvocetError, parseJson } from "../../base/inner.ts";
import type { Codec, ScaledCodec } from "../grids/codec.ts";
import type { TwoLevel } from "../grids/encoding.ts";
import { codecs } from "../grids/grid.ts";
import { integerWidths, type LookupGridName } from "../grids/names.ts";
import { unpackScales } from "../grids/two-level.ts";

/** One encoding of a file, in AIMET's convention (offset ≤ 0, one number a slice). */
export interface FileEncoding {
  readonly name: string;
  readonly bits: number;
  /** undefined where the file does not tell: version 2.0.0 has no word for it, and 128 may be the zero point of either. */
  readonly symmetric: boolean | undefined;
  /** One number; one a channel; or for blocks one a channel and block, channels first. */
  readonly scale: readonly number[];
  readonly offset: readonly number[];
  /** "tensor", "channel" or "block". LPBQ is read as the blocks that it stands for, and as what it is made of. */
  readonly per: "tensor" | "channel" | "block";
  readonly twoLevel?: TwoLevel;
  /** A grid that is none of integers: float8, float4, or two bits with half a step. */
  readonly grid?: LookupGridName;
  /** Length of a block. */
  readonly blockSize?: number;
  /** Of version 2.0.0: the axis of the channels, or of the blocks; may be negative. */
  readonly axis?: number;
  /** Of version 2.0.0, for blocks: how the scales lie, in the order of the tensor's axes; `scale` is row-major in them. */
  readonly dims?: readonly number[];
}

export interface EncodingsFile {
  readonly version: string;
  readonly encodings: readonly FileEncoding[];
  /** Tensors that the file puts into half precision. */
  readonly half: readonly string[];
}

const number = z.number();
const scales = z.array(z.number().positive()).min(1);
const offsets = z.array(z.number().int()).min(1);
const size = z.number().int().positive();

const row0 = z.looseObject({
  bitwidth: number,
  dtype: z.enum(["int", "float"]),
  is_symmetric: z.enum(["True", "False"]).optional(),
  offset: z.number().int().optional(),
  scale: z.number().positive().optional(),
  min: number.optional(),
  max: number.optional(),
});
const row1 = z.looseObject({
  name: z.string(),
  enc_type: z.enum(["PER_TENSOR", "PER_CHANNEL", "PER_BLOCK", "LPBQ"]),
  dtype: z.enum(["INT", "FLOAT"]),
  bw: number,
  is_sym: z.boolean().optional(),
  scale: scales.optional(),
  offset: offsets.optional(),
  block_size: size.optional(),
  compressed_bw: number.optional(),
  per_block_int_scale: z.array(size).min(1).optional(),
  zero_point_shift: z.union([number, z.array(number)]).optional(),
});
const nested: z.ZodType<unknown> = z.union([number, z.array(z.lazy(() => nested)).min(1)]);
const row2 = z.looseObject({
  name: z.string(),
  output_dtype: z.string(),
  y_scale: z.unknown().optional(),
  y_zero_point: nested.optional(),
  axis: z.number().int().optional(),
  block_size: size.optional(),
  per_block_int_scale: nested.optional(),
  per_channel_float_scale: nested.optional(),
});

const file0 = z.looseObject({
  version: z.string().regex(/^0\.6\.\d$/),
  activation_encodings: z.record(z.string(), z.array(row0).min(1)),
  param_encodings: z.record(z.string(), z.array(row0).min(1)),
});
const file1 = z.looseObject({
  version: z.literal("1.0.0"),
  activation_encodings: z.array(row1),
  param_encodings: z.array(row1),
});
const file2 = z.looseObject({ version: z.enum(["2.0.0", "2.1.0"]), encodings: z.array(row2) });
/** Version 2.1.0: scales that are quantized themselves. */
const nestedScale = z.strictObject({
  x: nested,
  x_scale: nested,
  x_zero_point: nested.optional(),
  input_dtype: z.string().optional(),
  axis: z.number().int().optional(),
  block_size: size.optional(),
});

type Refuse = (problem: string) => AvocetError;

/** Parses the text of a file. Throws `quant/invalid-encodings`. */
export function readEncodings(text: string, at = "encodings"): EncodingsFile {
  const hint = "AIMET's versions 0.6.1, 1.0.0, 2.0.0 and 2.1.0 are read";
  const refuse: Refuse = (problem) => new AvocetError("quant/invalid-encodings", problem, { at, hint });
  const json = parseJson(text, { at, code: "quant/invalid-encodings", hint });
  const version = String((json as { version?: unknown } | null)?.version);
  const schema = version.startsWith("2.") ? file2 : version === "1.0.0" ? file1 : file0;
  const result = (schema as z.ZodType<unknown>).safeParse(json);
  if (!result.success) throw refuse(`the encodings have faults:\n${z.prettifyError(result.error)}`);
  const file = result.data as z.output<typeof file0> | z.output<typeof file1> | z.output<typeof file2>;
  const found = fileOf(file, refuse);
  const names = new Set<string>();
  for (const name of [...found.encodings.map((one) => one.name), ...found.half]) {
    if (names.has(name)) throw refuse(`expected one encoding a tensor, got several for ${name}`);
    names.add(name);
  }
  for (const one of found.encodings) expectSound(one, refuse);
  return found;
}

function fileOf(
  file: z.output<typeof file0> | z.output<typeof file1> | z.output<typeof file2>,
  refuse: Refuse,
): EncodingsFile {
  const { version } = file;
  if ("encodings" in file) {
    const rows = (file as z.output<typeof file2>).encodings;
    return { version, encodings: rows.map((row) => fromRow2(row, refuse)), half: [] };
  }
  const { activation_encodings: activations, param_encodings: parameters } = file;
  if (Array.isArray(activations) && Array.isArray(parameters)) {
    const rows = [...activations, ...parameters] as z.output<typeof row1>[];
    const half = rows.filter((row) => row.dtype === "FLOAT").map((row) => halfName(row.name, row.bw, refuse));
    return { version, encodings: rows.filter((row) => row.dtype === "INT").map((row) => fromRow1(row, refuse)), half };
  }
  const rows = [...Object.entries(activations), ...Object.entries(parameters)] as [string, z.output<typeof row0>[]][];
  const isFloat = ([, slices]: [string, z.output<typeof row0>[]]) => slices[0]!.dtype === "float";
  return {
    version,
    encodings: rows.filter((row) => !isFloat(row)).map((row) => fromRows0(row, refuse)),
    half: rows.filter(isFloat).map(([name, slices]) => halfName(name, slices[0]!.bitwidth, refuse)),
  };
}

function halfName(name: string, bits: number, refuse: Refuse): string {
  if (bits !== 16) throw refuse(`expected float of 16 bits for ${name}, got ${bits}`);
  return name;
}

function fromRows0([name, slices]: [string, z.output<typeof row0>[]], refuse: Refuse): FileEncoding {
  const [first] = slices;
  for (const slice of slices) {
    const { scale, offset, min, max } = slice;
    if (slice.bitwidth !== first!.bitwidth || slice.dtype !== "int" || slice.is_symmetric !== first!.is_symmetric)
      throw refuse(`expected slices of one width and one symmetry for ${name}, got others`);
    if (scale === undefined || offset === undefined) throw refuse(`expected scale and offset for ${name}`);
    // AIMET writes the same range in two ways: where they contradict each other, one of them is wrong.
    const ends = [scale * offset, scale * (offset + 2 ** slice.bitwidth - 1)];
    if ([min ?? ends[0]!, max ?? ends[1]!].some((end, i) => !(Math.abs(end - ends[i]!) <= scale)))
      throw refuse(`expected ${ends[0]} … ${ends[1]} for ${name}, as scale and offset say, got ${min} … ${max}`);
  }
  return {
    name,
    bits: first!.bitwidth,
    symmetric: first!.is_symmetric === "True",
    scale: slices.map((slice) => slice.scale!),
    offset: slices.map((slice) => slice.offset!),
    per: slices.length === 1 ? "tensor" : "channel",
  };
}

function fromRow1(row: z.output<typeof row1>, refuse: Refuse): FileEncoding {
  const { name, enc_type: type, scale, offset, block_size: blockSize, is_sym: symmetric } = row;
  if (!scale || !offset || symmetric === undefined) throw refuse(`expected scale, offset and is_sym for ${name}`);
  if (scale.length !== offset.length)
    throw refuse(`expected as many offsets as scales for ${name}, got ${offset.length} and ${scale.length}`);
  const shifts = [row.zero_point_shift ?? 0].flat();
  const isHalves = row.bw === 2 && symmetric && shifts.every((shift) => shift === 0.5);
  if (!isHalves && shifts.some((shift) => shift !== 0))
    throw refuse(
      `expected no zero_point_shift for ${name}, or 0.5 for two symmetric bits: no other grid has zero between two numbers`,
    );
  if (type === "PER_TENSOR" && scale.length !== 1)
    throw refuse(`expected one scale per tensor for ${name}, got ${scale.length}`);
  const blocked = type === "PER_BLOCK" || type === "LPBQ";
  if (blocked !== (blockSize !== undefined))
    throw refuse(`expected a block_size for blocks and for nothing else, ${name} is ${type}`);
  const common = { name, symmetric, per: blocked ? ("block" as const) : type === "PER_TENSOR" ? ("tensor" as const) : ("channel" as const) }; // biome-ignore format: one line
  if (isHalves) {
    return {
      ...common,
      bits: 2,
      grid: "int2half",
      scale,
      offset: scale.map(() => 0),
      ...(blockSize === undefined ? {} : { blockSize }),
    };
  }
  if (type !== "LPBQ")
    return { ...common, bits: row.bw, scale, offset, ...(blockSize === undefined ? {} : { blockSize }) };
  const { compressed_bw: bits, per_block_int_scale: factors } = row;
  if (!bits || !factors || factors.length % scale.length !== 0)
    throw refuse(`expected compressed_bw and a per_block_int_scale for every block of ${name}`);
  const most = 2 ** (row.bw - bits);
  const twoLevel: TwoLevel = { form: "lpbq", coarse: scale, most };
  if (factors.some((factor) => factor > most)) throw refuse(`expected per_block_int_scale up to ${most} for ${name}`);
  return {
    ...common,
    bits,
    blockSize: blockSize!,
    scale: unpackScales(twoLevel, factors),
    offset: factors.map(() => -(2 ** (bits - 1))),
    twoLevel,
  };
}

function fromRow2(row: z.output<typeof row2>, refuse: Refuse): FileEncoding {
  const { name, axis, block_size: blockSize } = row;
  const codec = codecNamed(row.output_dtype, name, refuse);
  const { bits, shift } = codec;
  if ("bw" in row) throw refuse(`expected no bw for ${name}: output_dtype says it`);
  const compressed = row.per_block_int_scale !== undefined || row.per_channel_float_scale !== undefined;
  if ((row.y_scale === undefined) === !compressed)
    throw refuse(`expected y_scale, or per_block_int_scale with per_channel_float_scale, for ${name}`);
  const { dims, values: scale, twoLevel } = scalesOf(row, compressed, refuse);
  const points =
    row.y_zero_point === undefined ? { dims, values: scale.map(() => 0) } : flat(row.y_zero_point, name, refuse);
  if (points.dims.join() !== dims.join())
    throw refuse(`expected a y_zero_point for every y_scale of ${name}, got [${points.dims}] and [${dims}]`);
  const per = dims.length === 0 ? "tensor" : blockSize === undefined ? "channel" : "block";
  if ((per === "tensor") !== (axis === undefined) || (per === "tensor" && blockSize !== undefined))
    throw refuse(`expected an axis where there are several scales, and nowhere else: ${name}`);
  if (per === "channel" && dims.length !== 1)
    throw refuse(`expected a list of scales for the channels of ${name}, got one of ${dims.length} axes`);
  if (per === "block" && dims.length < 2)
    throw refuse(`expected scales in the shape of the blocks of ${name}, got one list`);
  const listed = codec.kernel === "lookup";
  const isHalves = row.output_dtype === "int2" && points.values.every((point) => point === -0.5);
  const [least, most] = listed ? [0, 0] : [-shift, 2 ** bits - 1 - shift];
  if (!isHalves && points.values.some((point) => !Number.isInteger(point)))
    throw refuse(`expected a whole y_zero_point for ${name}, or -0.5 for int2`);
  if (points.values.some((point) => point < least || point > most))
    throw refuse(`expected a y_zero_point of ${row.output_dtype} for ${name}`);
  return {
    name,
    bits,
    symmetric: listed || isHalves || symmetryOf(points.values, bits, shift > 0),
    ...(isHalves ? { grid: "int2half" as const } : listed ? { grid: codec.name as LookupGridName } : {}),
    scale,
    // Zero is added so that −0 becomes 0.
    offset: points.values.map((point) => (listed || isHalves ? 0 : -point - shift + 0)),
    per,
    ...(blockSize === undefined ? {} : { blockSize, dims }),
    ...(axis === undefined ? {} : { axis }),
    ...(twoLevel ? { twoLevel } : {}),
  };
}

function symmetryOf(points: readonly number[], bits: number, signed: boolean): boolean | undefined {
  const all = (point: number) => points.every((one) => one === point);
  if (signed) return all(0) || all(-1);
  return all(2 ** (bits - 1)) ? undefined : false;
}

/** Only grids that are types of ONNX have a name there. */
function codecNamed(dtype: string, name: string, refuse: Refuse): ScaledCodec {
  const found = Object.values<Codec>(codecs).find((codec) => codec.name === dtype);
  const isListed = found?.kernel === "lookup" && found.name !== "int2half";
  if (found && (isListed || (found.kernel === "linear" && found.stored === dtype))) return found as ScaledCodec;
  throw refuse(`expected an output_dtype of integers, float8 or float4 for ${name}, got ${dtype}`);
}

/** The scales of a row: as they are, or products of two. */
function scalesOf(row: z.output<typeof row2>, compressed: boolean, refuse: Refuse): Nested {
  if (compressed) return decompressed(row, refuse);
  const { name, y_scale: given } = row;
  const list = nested.safeParse(given);
  if (list.success) return flat(list.data, name, refuse);
  const object = nestedScale.safeParse(given);
  if (!object.success) throw refuse(`expected numbers, lists of them, or x with x_scale as y_scale of ${name}`);
  const { x, x_scale: coarse, x_zero_point: zero, input_dtype: dtype = "" } = object.data;
  if (zero !== undefined && flat(zero, name, refuse).values.some((point) => point !== 0))
    throw refuse(`expected no x_zero_point for ${name}: a scale is never negative`);
  if (dtype === "float8e4m3fn" && typeof coarse === "number") {
    const factors = flat(x, name, refuse);
    const values = factors.values.map((factor) => factor * coarse);
    return { dims: factors.dims, values, twoLevel: { form: "nvfp4", coarse: [coarse] } };
  }
  return decompressed({ ...row, per_block_int_scale: x, per_channel_float_scale: coarse }, refuse);
}

interface Nested {
  readonly dims: readonly number[];
  readonly values: readonly number[];
  readonly twoLevel?: TwoLevel;
}

/** Lists within lists as one list; all of one level must have the same length. */
function flat(value: unknown, name: string, refuse: Refuse): Nested {
  if (typeof value === "number") return { dims: [], values: [value] };
  const parts = (value as readonly unknown[]).map((part) => flat(part, name, refuse));
  const { dims } = parts[0]!;
  if (parts.some((part) => part.dims.join() !== dims.join()))
    throw refuse(`expected lists of equal length for ${name}, got others`);
  return { dims: [parts.length, ...dims], values: parts.flatMap((part) => part.values) };
}

/** LPBQ: a float for each channel, a whole factor for each block; where one has a single element it holds for all. */
function decompressed(row: z.output<typeof row2>, refuse: Refuse): Nested {
  const { name } = row;
  const [factors, channels] = [row.per_block_int_scale, row.per_channel_float_scale].map((part) =>
    part === undefined ? undefined : flat(part, name, refuse),
  );
  const fits = factors && channels?.dims.every((length, i) => length === 1 || length === factors.dims[i]);
  if (!fits || factors.dims.length !== channels!.dims.length)
    throw refuse(`expected per_channel_float_scale in the shape of per_block_int_scale for ${name}`);
  if (!factors.values.every((factor) => Number.isInteger(factor) && factor >= 1))
    throw refuse(`expected a per_block_int_scale of whole numbers from 1 for ${name}`);
  const { dims } = factors;
  const values = factors.values.map((factor, i) => {
    let [rest, at, stride] = [i, 0, 1];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const place = rest % dims[axis]!;
      rest = Math.floor(rest / dims[axis]!);
      if (channels!.dims[axis] !== 1) at += place * stride;
      stride *= channels!.dims[axis]!;
    }
    return factor * channels!.values[at]!;
  });
  // The version has no word for how many bits a factor has: as many as the largest needs.
  const most = 2 ** Math.ceil(Math.log2(factors.values.reduce((a, b) => Math.max(a, b), 1)));
  const perChannel = row.axis !== undefined && channels!.dims.at(row.axis) === 1;
  return perChannel ? { dims, values, twoLevel: { form: "lpbq", coarse: channels!.values, most } } : { dims, values };
}

function expectSound({ name, bits, symmetric, scale, offset, grid }: FileEncoding, refuse: Refuse): void {
  if (!grid && !integerWidths.some((width) => width === bits))
    throw refuse(
      `expected ${integerWidths[0]} to ${integerWidths.at(-2)} or ${integerWidths.at(-1)} bits for ${name}, got ${bits}`,
    );
  const half = 2 ** (bits - 1);
  for (const [i, s] of scale.entries()) {
    const o = offset[i]!;
    if (!(Math.fround(s) > 0 && Number.isFinite(Math.fround(s))))
      throw refuse(`expected positive scales within float32 for ${name}, got ${s}`);
    if (!(Number.isInteger(o) && o <= 0 && o > -(2 ** bits)))
      throw refuse(`expected a whole offset from ${1 - 2 ** bits} to 0 for ${name}, got ${o}`);
    if (!grid && symmetric && o !== -half && o !== 1 - half && o !== 0)
      throw refuse(`expected a symmetric grid to begin at ${-half}, ${1 - half} or 0 for ${name}, got ${o}`);
  }
}
