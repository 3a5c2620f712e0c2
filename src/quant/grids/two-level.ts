/**
 * Scales of blocks on two levels: a block's scale is a coarse one, of its channel or of the tensor, times a factor of few bits.
 * An encoding holds the products, so that whoever rounds, lowers or compares needs to know nothing of it; and the coarse
 * scales, from which the factors follow. Where a scale was changed since, they do not: then it is a scale of blocks like others.
 */
import { fromFloat8Bits, type Shape, toFloat8Bits } from "../../tensor/inner.ts";
import type { Encoding, TwoLevel, TwoLevelForm } from "./encoding.ts";
import { blockGroups } from "./slices.ts";

/** The nearest factor of each form: AIMET's whole numbers from 1, OCP MX 1.0's E8M0, NVFP4's E4M3. */
const nearestFactor: Readonly<Record<TwoLevelForm, (x: number, most: number) => number>> = {
  lpbq: (x, most) => Math.min(Math.max(Math.round(x), 1), most),
  mx: (x) => 2 ** Math.min(Math.max(Math.round(Math.log2(x)), -127), 127),
  nvfp4: (x) => fromFloat8Bits("float8e4m3fn", toFloat8Bits("float8e4m3fn", x)),
};

/** The largest number of float4, and the largest power of two there is in it. */
const [top4, power4] = [6, 4];

/** What an entry of a plan asks for: the form, and of LPBQ how many bits a factor has. */
export interface TwoLevelChoice {
  readonly form: TwoLevelForm;
  /** lpbq: default the bits of the grid. */
  readonly scaleBits?: number | undefined;
}

/**
 * An encoding of blocks with each scale made a product. LPBQ (AIMET): of the scales of a channel's blocks the largest over 2^bits is the coarse
 * one, and a block has the nearest whole factor from 1 on. MX (OCP MX 1.0, 6.3): the power of two that is the largest in the block's largest number
 * over 4. NVFP4: float8e4m3 times a float for the tensor, which is the largest scale over 448.
 */
export function inLevels(
  encoding: Encoding,
  shape: Shape,
  { form, scaleBits }: TwoLevelChoice,
  bits: number,
): Encoding {
  const { granularity, scale } = encoding;
  if (granularity.kind !== "block") return encoding;
  if (form === "mx") {
    const powers = scale.map(
      (s) => 2 ** Math.min(Math.max(Math.floor(Math.log2(s * top4)) - Math.log2(power4), -126), 127),
    );
    return { ...encoding, scale: powers, twoLevel: { form, coarse: [1] } };
  }
  if (form === "nvfp4") {
    const coarse = Math.fround(scale.reduce((a, b) => Math.max(a, b)) / 448);
    const least = 2 ** -9;
    return {
      ...encoding,
      scale: scale.map((s) => coarse * Math.max(nearestFactor.nvfp4(s / coarse, 0), least)),
      twoLevel: { form, coarse: [coarse] },
    };
  }
  const most = 2 ** (scaleBits ?? bits);
  const blocks = shape[granularity.axis]! / granularity.size;
  const channelOf = blockGroups(shape, granularity).map((group) => Math.floor(group / blocks));
  const coarse = new Array<number>(shape[granularity.channelAxis]!).fill(0);
  for (const [i, channel] of channelOf.entries()) coarse[channel] = Math.max(coarse[channel]!, scale[i]!);
  for (const [channel, s] of coarse.entries()) coarse[channel] = Math.fround(s / most);
  const made = scale.map((s, i) => {
    const outer = coarse[channelOf[i]!]!;
    return outer * nearestFactor.lpbq(s / outer, most);
  });
  return { ...encoding, scale: made, twoLevel: { form, coarse, most } };
}

/** The scales of blocks that coarse scales and factors stand for: channels first, one factor for each of their blocks. */
export function unpackScales({ coarse }: TwoLevel, factors: readonly number[]): number[] {
  const each = factors.length / coarse.length;
  return factors.map((factor, i) => factor * coarse[Math.floor(i / each)]!);
}

/**
 * The factors of an encoding of a tensor of this shape, channels first; undefined where it has one level, where a scale is no
 * product any more, or where positions of a kernel differ.
 */
export function packScales(encoding: Encoding, shape: Shape): readonly number[] | undefined {
  const { granularity, scale, twoLevel } = encoding;
  if (!twoLevel || granularity.kind !== "block") return undefined;
  const { form, coarse, most = Number.POSITIVE_INFINITY } = twoLevel;
  const channels = shape[granularity.channelAxis]!;
  const blocks = shape[granularity.axis]! / granularity.size;
  if (coarse.length !== 1 && coarse.length !== channels) return undefined;
  const factors = new Array<number>(channels * blocks).fill(Number.NaN);
  for (const [slice, group] of blockGroups(shape, granularity).entries()) {
    const outer = coarse[coarse.length === 1 ? 0 : Math.floor(group / blocks)]!;
    const factor = nearestFactor[form](scale[slice]! / outer, most);
    if (factor * outer !== scale[slice] || (factors[group] !== factor && !Number.isNaN(factors[group])))
      return undefined;
    factors[group] = factor;
  }
  return factors;
}
