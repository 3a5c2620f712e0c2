/** Attention and recurrence, control flow, sequences and optionals, signals, images and strings. */
import { attentionMacs, recurrentMacs } from "./cost.ts";
import type { Semantics } from "./row.ts";

export const attention = {
  Attention: { macs: attentionMacs },
  RotaryEmbedding: {},
} satisfies Record<string, Semantics>;

export const recurrent = {
  GRU: { macs: recurrentMacs },
  LSTM: { macs: recurrentMacs },
  RNN: { macs: recurrentMacs },
} satisfies Record<string, Semantics>;

/** The cost of a body is counted by whoever walks into it. */
export const control = {
  If: {},
  Loop: {},
  Scan: {},
  SequenceMap: {},
} satisfies Record<string, Semantics>;

export const containers = {
  ConcatFromSequence: {},
  Optional: {},
  OptionalGetElement: {},
  OptionalHasElement: {},
  SequenceAt: { movesData: true },
  SequenceConstruct: {},
  SequenceEmpty: {},
  SequenceErase: {},
  SequenceInsert: {},
  SequenceLength: {},
} satisfies Record<string, Semantics>;

export const signals = {
  DFT: {},
  STFT: {},
} satisfies Record<string, Semantics>;

export const images = {
  AffineGrid: {},
  Det: {},
  GridSample: {},
  ImageDecoder: {},
  NonMaxSuppression: {},
  Resize: {},
  Upsample: {},
} satisfies Record<string, Semantics>;

export const strings = {
  RegexFullMatch: {},
  StringConcat: {},
  StringNormalizer: {},
  StringSplit: {},
  TfIdfVectorizer: {},
} satisfies Record<string, Semantics>;
