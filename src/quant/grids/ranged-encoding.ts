/** Encodings from ranges, one for every slice. */

import type { Grid } from "./codec.ts";
import type { Encoding, Granularity } from "./encoding.ts";
import { codecOf, scaledCodecOf } from "./grid.ts";
import type { Affine, GridChoice } from "./range.ts";

/** Flags of `encodingOfRange` next to the grid. */
export interface RangeOptions {
  readonly grid: Grid;
  readonly symmetric: boolean;
  readonly narrowRange?: boolean | undefined;
  readonly unsignedSymmetric?: boolean | undefined;
  readonly shortScale?: boolean | "coarse" | undefined;
  /** Default: per tensor. */
  readonly granularity?: Granularity | undefined;
}

/** The choice that a grid and its flags stand for. */
export function choiceOf(options: Omit<RangeOptions, "granularity">): GridChoice {
  return {
    bits: codecOf(options.grid).bits,
    symmetric: options.symmetric,
    narrowRange: options.narrowRange,
    unsignedSymmetric: options.unsignedSymmetric,
    shortScale: options.shortScale,
  };
}

/** The encoding of one range, or of one range per slice (arrays of equal length). Throws `data/not-finite` for NaN. */
export function encodingOfRange(
  min: number | ArrayLike<number>,
  max: number | ArrayLike<number>,
  options: RangeOptions,
): Encoding {
  const lows = typeof min === "number" ? [min] : Array.from(min);
  const highs = typeof max === "number" ? [max] : Array.from(max);
  const choice = choiceOf(options);
  const { affine } = scaledCodecOf(options.grid);
  return encodingOfAffines(
    lows.map((low, i) => affine(low, highs[i]!, choice)),
    options,
  );
}

/** Gathers scale and offset of every slice into an encoding. */
export function encodingOfAffines(slices: readonly Affine[], options: RangeOptions): Encoding {
  return {
    grid: options.grid,
    granularity: options.granularity ?? { kind: "tensor" },
    symmetric: options.symmetric,
    scale: slices.map((s) => s.scale),
    offset: slices.map((s) => s.offset),
  };
}
