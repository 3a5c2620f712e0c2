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
