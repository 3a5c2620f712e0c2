/** What a user writes for data: a path, and after a question mark what part of it and how it is read. */
import { existsSync } from "node:fs";
import { AvocetError } from "../../base/inner.ts";
import { parseSelection, type Selection } from "../selection.ts";

export interface DataSpec {
  readonly path: string;
  /** Parts, taken one after the other. */
  readonly selections: readonly Selection[];
  /** What a raw array is. */
  readonly dtype?: string;
  readonly shape?: readonly number[];
  /** Elements or frames per sample (tokens, audio), and the step between frames. */
  readonly length?: number;
  readonly hop?: number;
  /** The token that fills short lines. */
  readonly pad?: number;
  /** Samples a second that audio must have. */
  readonly rate?: number;
  /** The axis of an array that counts samples. Default: the first, or the one of the model's input. */
  readonly axis?: number;
  /** The tokenizer.json that turns text into tokens. */
  readonly tokenizer?: string;
  /** Whether each line of a text is a sample of its own. */
  readonly lines?: boolean;
  /** The field of a JSON file that holds the samples. */
  readonly key?: string;
}

const selecting = ["first", "skip", "every", "except-every"];
const keys = [
  ...selecting,
  "samples",
  "dtype",
  "shape",
  "length",
  "hop",
  "pad",
  "rate",
  "axis",
  "key",
  "tokenizer",
  "lines",
];

/**
 * Reads `PATH?key=value&…`. Parts are taken in the order written: `every=K` (samples 0, K, 2K …), `except-every=K` (the
 * others), `first=N`, `skip=N`, `samples=N` (spread evenly). `dtype=` and `shape=-1,32,32,3` tell what a raw file is,
 * `length=`, `hop=`, `pad=`, `rate=`, `key=`, `tokenizer=` and `lines=yes` how tokens, texts and audio become samples. A file whose own name has a question mark is found.
 * Throws `usage/bad-value`.
 */
export function parseDataSpec(text: string): DataSpec {
  const mark = text.lastIndexOf("?");
  if (mark < 0 || text.startsWith("{") || existsSync(text)) return { path: text, selections: [] };
  const spec: { -readonly [K in keyof DataSpec]: DataSpec[K] } = { path: text.slice(0, mark), selections: [] };
  for (const [key, value] of new URLSearchParams(text.slice(mark + 1))) {
    if (selecting.includes(key)) spec.selections = [...spec.selections, parseSelection(`${key}:${value}`)];
    else if (key === "samples") spec.selections = [...spec.selections, parseSelection(value)];
    else if (key === "dtype") spec.dtype = value;
    else if (key === "shape") spec.shape = value.split(/[,x]/).map((dim) => whole(dim, key, text));
    else if (key === "key" || key === "tokenizer") spec[key] = value;
    else if (key === "lines") spec.lines = yes(value, text);
    else if (key === "length" || key === "hop" || key === "pad" || key === "rate" || key === "axis")
      spec[key] = whole(value, key, text);
    else
      throw new AvocetError("usage/bad-value", `expected one of ${keys.join(", ")} after "?", got "${key}"`, {
        at: text,
      });
  }
  return spec;
}

function yes(value: string, at: string): boolean {
  if (value === "yes" || value === "no") return value === "yes";
  throw new AvocetError("usage/bad-value", `expected yes or no for lines, got "${value}"`, { at });
}

function whole(value: string, key: string, at: string): number {
  if (/^-?\d{1,15}$/.test(value.trim())) return Number(value);
  throw new AvocetError("usage/bad-value", `expected whole numbers for ${key}, got "${value}"`, { at });
}
