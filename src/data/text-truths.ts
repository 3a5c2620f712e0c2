/** What a model should read or hear: one text a sample. */
import { AvocetError } from "../base/inner.ts";
import { dataLimits } from "./limits.ts";

export interface TextLabels {
  readonly kind: "texts";
  readonly count: number;
  readonly source?: string;
  /** What sample `index` says. */
  at(index: number): string;
}

/** Texts in order. Throws `data/none`, and `data/too-large` for one that is longer than `dataLimits.labelText`. */
export function textTruths(texts: readonly string[], source: string): TextLabels {
  if (texts.length === 0) throw new AvocetError("data/none", "expected at least one text, got none", { at: source });
  const long = texts.findIndex((text) => text.length > dataLimits.labelText);
  if (long >= 0) {
    throw new AvocetError(
      "data/too-large",
      `expected texts of at most ${dataLimits.labelText} characters, text ${long} has ${texts[long]!.length}`,
      { at: source },
    );
  }
  const at = (index: number) => {
    const text = texts[index];
    if (text !== undefined) return text;
    throw new AvocetError("data/labels", `expected a text for sample ${index}, there are ${texts.length}`, {
      at: source,
      hint: "data and labels must be of the same samples",
    });
  };
  return { kind: "texts", count: texts.length, source, at };
}

/** A text a line; a line break at the end begins no other. */
export function textLines(text: string, source: string): TextLabels {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return textTruths(lines, source);
}

/** Texts of JSON: a list of them, or `text` of each image in the index of a pack; null for other JSON. Throws `data/labels`. */
export function parseTexts(json: unknown, source: string): TextLabels | null {
  const list = Array.isArray(json) ? json : (json as { images?: unknown } | null)?.images;
  if (!Array.isArray(list)) return null;
  const texts = list.map((entry) => (typeof entry === "string" ? entry : (entry as { text?: unknown } | null)?.text));
  if (!texts.some((text) => typeof text === "string")) return null;
  const absent = texts.findIndex((text) => typeof text !== "string");
  if (absent < 0) return textTruths(texts as string[], source);
  throw new AvocetError("data/labels", `expected a text for every sample, sample ${absent} has none`, { at: source });
}
