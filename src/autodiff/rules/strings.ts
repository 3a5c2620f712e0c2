import type { GradientRow } from "../rule.ts";
import { pending } from "./pending.ts";

export const strings = {
  RegexFullMatch: pending,
  StringConcat: pending,
  StringNormalizer: pending,
  StringSplit: pending,
  TfIdfVectorizer: pending,
} satisfies Record<string, GradientRow>;
