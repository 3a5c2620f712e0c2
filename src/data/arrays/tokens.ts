/** Token ids: lines of JSON, made equally long by padding, cut into windows where that is asked for. */
import { AvocetError, parseJson } from "../../base/inner.ts";
import { byteLength, type DType, type Feeds, sizeOf, Tensor } from "../../tensor/inner.ts";
import type { IndexedDataset, InputPort } from "../dataset.ts";
import { indexedDataset } from "../indexed.ts";

/** One text: its ids by input name; "" is the model's token input. */
export type TokenLine = Readonly<Record<string, readonly number[]>>;

export interface TokenOptions {
  /**
   * The model's inputs. `attention_mask`, `position_ids` and `token_type_ids` are made where lines do not give them, and caches
   * (`past…`) are empty.
   */
  readonly inputs: readonly InputPort[];
  /** Tokens per sample: longer lines are cut. Default: what the model fixes, else the longest line. */
  readonly length?: number | undefined;
  /** Makes windows of `length` tokens that begin this far from each other, instead of cutting. */
  readonly hop?: number | undefined;
  /** The id that fills short lines. Default 0. */
  readonly pad?: number | undefined;
}

/** Reads lines of JSON: `[1, 2, 3]` or `{"input_ids": [1, 2, 3], …}`; empty lines do not count. Throws `data/unreadable`. */
export function parseTokenLines(text: string, at: string): TokenLine[] {
  const lines: TokenLine[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = `${at}, line ${i + 1}`;
    lines.push(tokenLine(parseJson(line, { at: place, code: "data/unreadable" }), place));
  }
  return lines;
}

/** One text of JSON. Throws `data/unreadable`. */
export function tokenLine(json: unknown, at: string): TokenLine {
  const line = Array.isArray(json) ? { "": json } : json;
  const fields = typeof line === "object" && line !== null ? Object.entries(line) : [];
  const used = fields.filter(([, ids]) => Array.isArray(ids) && ids.every(Number.isSafeInteger));
  const lengths = new Set(used.map(([, ids]) => ids.length));
  if (used.length === 0 || lengths.size !== 1 || lengths.has(0)) {
    throw new AvocetError("data/unreadable", "expected a list of token ids, or lists of equal length by input name", {
      at,
      hint: 'for example [1, 403, 407] or {"input_ids": [1, 403, 407]}',
    });
  }
  return Object.fromEntries(used);
}

/** Texts as samples of equal length. Throws `data/wrong-shape` for a line that is too long, `data/none`. */
export function tokenDataset(lines: readonly TokenLine[], options: TokenOptions, source: string): IndexedDataset {
  const { inputs, pad = 0, hop } = options;
  const main = (tokenPort(inputs) ?? inputs[0])?.name ?? "input_ids";
  const named = lines.map((line) => (line[""] ? { [main]: line[""] } : line));
  if (lines.length === 0) throw new AvocetError("data/none", "expected at least one text, got none", { at: source });
  const fixed = inputs.find(({ name }) => name === main)?.shape?.[1];
  const longest = named.reduce((most, line) => Math.max(most, lengthOf(line)), 0);
  const length = options.length ?? (typeof fixed === "number" ? fixed : longest);
  if (!(length >= 1) || (hop !== undefined && !(hop >= 1))) {
    throw new AvocetError("usage/bad-value", `expected a length and a hop of at least 1, got ${length} and ${hop}`, {
      at: source,
    });
  }
  const tooLong =
    options.length === undefined && hop === undefined ? named.findIndex((line) => lengthOf(line) > length) : -1;
  if (tooLong >= 0) {
    throw new AvocetError(
      "data/wrong-shape",
      `expected at most ${length} tokens, text ${tooLong} has ${lengthOf(named[tooLong]!)}`,
      {
        at: source,
        hint: `"${source}?length=${length}" cuts, "?length=${length}&hop=${length}" makes windows`,
      },
    );
  }
  const windows = named.flatMap((line) => windowsOf(lengthOf(line), length, hop).map((start) => ({ line, start })));
  const names = [...new Set([...named.flatMap((line) => Object.keys(line)), ...inputs.map(({ name }) => name)])];
  return indexedDataset({
    count: windows.length,
    source,
    async read(indices) {
      const feeds: Record<string, Tensor> = {};
      for (const name of names) {
        const rows = indices.map((index) =>
          rowOf(windows[index]!.line, name, windows[index]!.start, length, pad, main),
        );
        if (rows.some((row) => row === null)) {
          const cache = emptyCache(inputs.find((port) => port.name === name));
          if (cache) feeds[name] = cache(indices.length);
          continue;
        }
        feeds[name] = Tensor.of(
          "int64",
          [indices.length, length],
          BigInt64Array.from(
            rows.flatMap((row) => row!),
            BigInt,
          ),
        );
      }
      return feeds satisfies Feeds;
    },
  });
}

/** The input that takes tokens, by its name. */
export function tokenPort(inputs: readonly InputPort[]): InputPort | undefined {
  return inputs.find(({ name }) => /input_?ids|tokens/i.test(name));
}

/** Keys or values of no earlier tokens, for so many samples; undefined for what is no cache. */
function emptyCache(port: InputPort | undefined): ((samples: number) => Tensor) | undefined {
  if (!port?.shape || !/^past/.test(port.name)) return undefined;
  const { shape } = port;
  const dtype = (port.dtype ?? "float32") as DType;
  return (samples) => {
    const lengths = shape.map((dim, axis) => (typeof dim === "number" ? dim : axis === 0 ? samples : 0));
    return Tensor.fromBytes(dtype, lengths, new Uint8Array(byteLength(dtype, sizeOf(lengths))));
  };
}

/** Where windows begin: one for a line that fits or is cut, else all whole windows. */
function windowsOf(tokens: number, length: number, hop: number | undefined): number[] {
  if (hop === undefined || tokens <= length) return [0];
  return Array.from({ length: Math.floor((tokens - length) / hop) + 1 }, (_, i) => i * hop);
}

const lengthOf = (line: TokenLine) => Object.values(line)[0]!.length;

function rowOf(
  line: TokenLine,
  name: string,
  start: number,
  length: number,
  pad: number,
  main: string,
): number[] | null {
  const ids = line[name];
  const used = Math.min(length, lengthOf(line) - start);
  const filled = (at: (i: number) => number, rest: (i: number) => number) =>
    Array.from({ length }, (_, i) => (i < used ? at(i) : rest(i)));
  if (ids)
    return filled(
      (i) => ids[start + i]!,
      () => (name === main ? pad : 0),
    );
  if (name === "attention_mask")
    return filled(
      () => 1,
      () => 0,
    );
  if (name === "position_ids")
    return filled(
      (i) => i,
      (i) => i,
    );
  return name === "token_type_ids"
    ? filled(
        () => 0,
        () => 0,
      )
    : null;
}
