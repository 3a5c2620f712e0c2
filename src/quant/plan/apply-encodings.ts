/** Puts the encodings of a file into a plan, frozen, where they fit the tensors of the model. */
import { AvocetError } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import type { Shape } from "../../tensor/inner.ts";
import type { Grid } from "../grids/codec.ts";
import { type Encoding, type Granularity, granularityName } from "../grids/encoding.ts";
import { codecOf, codecs, gridName, isIntGrid, isScaled } from "../grids/grid.ts";
import type { Bits } from "../grids/names.ts";
import { blockGroups } from "../grids/slices.ts";
import { type Plan, type PlanEntry, withEntries } from "./plan.ts";
import type { EncodingsFile, FileEncoding } from "./read-encodings.ts";

/**
 * A plan whose entries take the file's encodings and are frozen; what a tied entry would take is that of its head. Names that
 * the plan lacks are returned. `model` is the one that the plan was placed on. Throws `quant/invalid-encodings` where an encoding
 * does not fit the tensor or the entry's granularity.
 */
export function applyEncodings(
  plan: Plan,
  file: EncodingsFile,
  model: Model,
): { readonly plan: Plan; readonly ignored: readonly string[] } {
  const values = model.graph.valuesByName();
  const byName = new Map(plan.entries.map((entry) => [entry.value, entry]));
  const changed = new Map<string, PlanEntry>();
  const ignored: string[] = [];
  for (const found of file.encodings) {
    const entry = byName.get(found.name);
    if (!entry || entry.kind === "bias" || !isScaled(entry.grid)) ignored.push(found.name);
    else {
      const shape = values.get(found.name)?.initializer?.shape;
      const symmetric = found.symmetric ?? entry.symmetric;
      const made = fitted(entry, found, symmetric, shape);
      changed.set(entry.value, { ...storable(entry, made), symmetric, frozen: true, ...made });
    }
  }
  for (const name of file.half) {
    const entry = byName.get(name);
    if (!entry || entry.kind === "bias") ignored.push(name);
    else {
      const { encoding: _, storage: __, ...rest } = entry;
      changed.set(name, { ...rest, grid: { kind: "float", dtype: "float16" } });
    }
  }
  for (const entry of plan.entries) {
    const head =
      entry.sharesEncodingOf === undefined || changed.has(entry.value)
        ? undefined
        : changed.get(entry.sharesEncodingOf);
    if (!head) continue;
    const { grid, symmetric, encoding } = head;
    const { encoding: _, ...rest } = entry;
    changed.set(entry.value, { ...rest, grid, symmetric, ...(encoding ? { encoding, frozen: true } : {}) });
  }
  return { plan: withEntries(plan, changed), ignored };
}

/** What a weight is stored for was chosen for its grid and its granularity; on others it lies behind a DequantizeLinear. */
function storable(entry: PlanEntry, { grid, granularity }: Pick<PlanEntry, "grid" | "granularity">): PlanEntry {
  const formOf = (one: Pick<PlanEntry, "grid" | "granularity">) =>
    `${gridName(one.grid)} ${granularityName(one.granularity)}`;
  if (entry.storage === undefined || formOf(entry) === formOf({ grid, granularity })) return entry;
  const { storage: _, ...rest } = entry;
  return rest;
}

function fitted(
  entry: PlanEntry,
  found: FileEncoding,
  symmetric: boolean,
  shape: Shape | undefined,
): Pick<PlanEntry, "grid" | "granularity" | "encoding"> {
  const refuse = (problem: string, hint: string) =>
    new AvocetError("quant/invalid-encodings", problem, { at: entry.value, hint });
  const signed = entry.grid.kind === "int" && entry.grid.signed;
  const grid: Grid = found.grid ? codecs[found.grid].grid : { kind: "int", bits: found.bits as Bits, signed };
  if (entry.kind !== "weight" && isIntGrid(grid) && codecOf(grid).stored !== gridName(grid))
    throw refuse(
      `expected a type of ONNX for an activation, got ${gridName(grid)}`,
      "ONNX has no type of so many bits",
    );
  const granularity = granularityOf(entry.granularity, found, shape, refuse);
  const { scale, offset } = granularity.kind === "block" ? spread(found, granularity, shape!) : found;
  const encoding: Encoding = { grid, granularity, symmetric, scale, offset, ...coarseOf(found, granularity, shape) };
  return { grid, granularity, encoding };
}

/** One coarse scale a channel, also where the file has one for all. */
function coarseOf({ twoLevel }: FileEncoding, granularity: Granularity, shape?: Shape): Pick<Encoding, "twoLevel"> {
  if (!twoLevel || granularity.kind !== "block" || !shape) return {};
  const { coarse } = twoLevel;
  const channels = shape[granularity.channelAxis]!;
  return { twoLevel: coarse.length === 1 ? { ...twoLevel, coarse: new Array(channels).fill(coarse[0]!) } : twoLevel };
}

type Refuse = (problem: string, hint: string) => AvocetError;

/** What the file's scales stand for in this tensor. A file of an older version leaves the axes to the operator, as the plan has them. */
function granularityOf(
  placed: Granularity,
  found: FileEncoding,
  shape: Shape | undefined,
  refuse: Refuse,
): Granularity {
  const other = "place the plan with the granularity of the file";
  if (found.per === "tensor") return { kind: "tensor" };
  const channelAxis =
    placed.kind === "tensor" ? undefined : placed.kind === "channel" ? placed.axis : placed.channelAxis;
  if (!shape || channelAxis === undefined)
    throw refuse(`expected one scale, got ${found.scale.length}, per ${found.per}`, other);
  const axis = found.axis === undefined ? undefined : found.axis < 0 ? found.axis + shape.length : found.axis;
  const foreign = `the scales of a file stand for axes of the weight, whose shape is [${shape}]`;
  if (found.per === "channel") {
    if (axis !== undefined && axis !== channelAxis)
      throw refuse(
        `expected scales along axis ${channelAxis}, that of the output channels, got axis ${found.axis}`,
        foreign,
      );
    if (found.scale.length !== shape[channelAxis])
      throw refuse(`expected ${shape[channelAxis]} scales, one a channel, got ${found.scale.length}`, foreign);
    return { kind: "channel", axis: channelAxis };
  }
  if (placed.kind !== "block" || placed.size !== found.blockSize)
    throw refuse(`expected scales per ${placed.kind}, got blocks of ${found.blockSize}`, other);
  if (axis !== undefined && axis !== placed.axis)
    throw refuse(
      `expected blocks along axis ${placed.axis}, that of the input channels, got axis ${found.axis}`,
      foreign,
    );
  const wanted = shape.map((length, i) => (i === placed.axis ? length / placed.size : i === channelAxis ? length : 1));
  const count = wanted.reduce((a, b) => a * b, 1);
  if (found.dims ? found.dims.join() !== wanted.join() : found.scale.length !== count)
    throw refuse(`expected ${count} scales in the shape [${wanted}], got ${found.dims ? `[${found.dims}]` : found.scale.length}`, foreign); // biome-ignore format: one sentence
  return placed;
}

/** The scales of blocks, one for every slice: positions of a kernel share theirs. */
function spread(
  { scale, offset, dims }: FileEncoding,
  granularity: Extract<Granularity, { kind: "block" }>,
  shape: Shape,
): Pick<Encoding, "scale" | "offset"> {
  const blocks = shape[granularity.axis]! / granularity.size;
  const channels = shape[granularity.channelAxis]!;
  // Files of 2.0.0 lie in the order of the tensor's axes, older ones have the channels first.
  const transposed = dims !== undefined && granularity.axis < granularity.channelAxis;
  const at = (group: number) => (transposed ? (group % blocks) * channels + Math.floor(group / blocks) : group);
  const groups = blockGroups(shape, granularity).map(at);
  return { scale: groups.map((i) => scale[i]!), offset: groups.map((i) => offset[i]!) };
}
