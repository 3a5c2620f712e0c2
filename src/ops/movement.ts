/**
 * Operators about positions rather than values. AIMET's list of grid-preserving operators is the ones marked `moves`, but
 * for Col2Im, which sums where blocks overlap, and NonZero, which returns indices; marked beyond its list are those that
 * equally only pick and pad: CenterCropPad, GlobalMaxPool, MaxUnpool, ReverseSequence, SequenceAt, Trilu, Unique.
 */
import type { Semantics } from "./row.ts";

const moves: Semantics = { movesData: true };

export const movement = {
  CenterCropPad: moves,
  Compress: moves,
  DepthToSpace: moves,
  Expand: moves,
  Flatten: moves,
  Gather: moves,
  GatherElements: moves,
  GatherND: moves,
  /** The only operator that is both: it moves nothing and changes nothing. */
  Identity: { movesData: true, elementwise: true },
  Pad: moves,
  Reshape: moves,
  ReverseSequence: moves,
  Slice: moves,
  SpaceToDepth: moves,
  Split: moves,
  SplitToSequence: moves,
  Squeeze: moves,
  Tile: moves,
  TopK: moves,
  Transpose: moves,
  Trilu: moves,
  Unique: moves,
  Unsqueeze: moves,
} satisfies Record<string, Semantics>;

/** These write one input into another, join, or count positions. */
export const placement = {
  Col2Im: {},
  Concat: {},
  NonZero: {},
  OneHot: {},
  Scatter: {},
  ScatterElements: {},
  ScatterND: {},
  Shape: {},
  Size: {},
  TensorScatter: {},
} satisfies Record<string, Semantics>;

export const sources = {
  Bernoulli: { random: true },
  BlackmanWindow: {},
  Constant: {},
  ConstantOfShape: {},
  EyeLike: {},
  HammingWindow: {},
  HannWindow: {},
  MelWeightMatrix: {},
  Multinomial: { random: true },
  RandomNormal: { random: true },
  RandomNormalLike: { random: true },
  RandomUniform: { random: true },
  RandomUniformLike: { random: true },
  Range: {},
} satisfies Record<string, Semantics>;
