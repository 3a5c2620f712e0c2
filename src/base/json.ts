/** JSON from outside: the one place that parses it, with limits of size and depth, so that no caller recurses into what has no end. */
import type { ErrorCode } from "./error-codes.ts";
import { AvocetError } from "./errors.ts";

export const jsonLimits = {
  /**
   * Objects and lists inside each other. Readers recurse into what they get, and a stack ends at some thousands; the deepest
   * honest file is a tensor of scales, whose rank onnx readers limit to 64 as well.
   */
  depth: 80,
  /** Characters of one text: the scales of the largest models in blocks have some 100 million; a string of V8 ends at 512 million. */
  characters: 2 ** 28,
} as const;

export interface JsonOrigin {
  /** The file, or what else the text is. */
  readonly at: string;
  /** The code of the error where the text is no JSON that can be used. */
  readonly code: ErrorCode;
  readonly hint?: string | undefined;
}

/**
 * The value of a JSON text. Throws `code` where it is no JSON, is nested deeper or longer than the limits allow, or says a key
 * twice in one object (all but the last would be lost without a word).
 */
export function parseJson(written: string, { at, code, hint }: JsonOrigin): unknown {
  // Editors of one system put a mark of the byte order before the text; all else that reads text here passes over it, too.
  const text = written.startsWith("\ufeff") ? written.slice(1) : written;
  const refuse = (problem: string, cause?: unknown) =>
    new AvocetError(code, problem, { at, ...(cause === undefined ? {} : { cause }), ...(hint ? { hint } : {}) });
  if (text.length > jsonLimits.characters) {
    throw refuse(`expected JSON of at most ${jsonLimits.characters} characters, got ${text.length}`);
  }
  const fault = faultOf(text);
  if (fault) throw refuse(fault);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refuse(`expected JSON, got ${JSON.stringify(text.slice(0, 40))} (${(cause as Error).message})`, cause);
  }
}

const [quote, backslash, colon] = [0x22, 0x5c, 0x3a];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** What JSON.parse lets through and readers cannot take. Walks over the text once, without recursion. */
function faultOf(text: string): string | undefined {
  // The keys of each open object; null for a list.
  const open: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === openList || c === openObject) {
      open.push(c === openObject ? new Set() : null);
      if (open.length > jsonLimits.depth) {
        return `expected JSON of at most ${jsonLimits.depth} levels, got more at character ${i}`;
      }
    } else if (c === closeList || c === closeObject) open.pop();
    else if (c === quote) {
      const start = i++;
      while (i < text.length && text.charCodeAt(i) !== quote) i += text.charCodeAt(i) === backslash ? 2 : 1;
      const keys = open[open.length - 1];
      if (!keys || !colonFollows(text, i + 1)) continue;
      const raw = text.slice(start, i + 1);
      // "\u0061" and "a" are one key.
      const key = raw.includes("\\") ? unescaped(raw) : raw;
      if (keys.has(key))
        return `expected every key once in an object, got ${key.slice(0, 80)} twice at character ${start}`;
      keys.add(key);
    }
  }
  return undefined;
}

function colonFollows(text: string, from: number): boolean {
  let i = from;
  while (i < text.length && text.charCodeAt(i) <= 0x20) i++;
  return text.charCodeAt(i) === colon;
}

function unescaped(raw: string): string {
  try {
    return JSON.stringify(JSON.parse(raw));
  } catch {
    return raw;
  }
}
