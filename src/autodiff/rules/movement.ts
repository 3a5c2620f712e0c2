import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const movement = {
  CenterCropPad: pending,
  Compress: pending,
  DepthToSpace: pending,
  Expand: pending,
  Flatten: pending,
  Gather: pending,
  GatherElements: pending,
  GatherND: pending,
  Identity: pending,
  Pad: pending,
  Reshape: pending,
  ReverseSequence: pending,
  Slice: pending,
  SpaceToDepth: pending,
  Split: pending,
  SplitToSequence: pending,
  Squeeze: pending,
  Tile: pending,
  TopK: pending,
  Transpose: pending,
  Trilu: pending,
  Unique: pending,
  Unsqueeze: pending,
} satisfies Record<string, GradientRow>;
