/** Strings. */
import type { GradientRow } from "../../rule.ts";

const text = { flat: "strings have no gradient" } as const;

export const strings = {
  RegexFullMatch: text,
  StringConcat: text,
  StringNormalizer: text,
  StringSplit: text,
  TfIdfVectorizer: { flat: "counts of words and whole numbers have no gradient" },
} satisfies Record<string, GradientRow>;
