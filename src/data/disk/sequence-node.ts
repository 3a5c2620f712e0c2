/** Sequences on disk: token ids as lines of JSON, and WAV audio, one file or a folder. */
import { join } from "node:path";
import { AvocetError } from "../../base/inner.ts";
import type { ArrayRows } from "../array-rows.ts";
import { parseTokenLines, type TokenLine, tokenDataset, tokenLine, tokenPort } from "../arrays/tokens.ts";
import { openWav, wavWindows } from "../arrays/wav.ts";
import type { IndexedDataset, InputPort } from "../dataset.ts";
import { folderOf, inside, openArrays } from "./array-file-node.ts";
import { fileSource, readText, statOf } from "./file-source-node.ts";
import { filesOf, hasEnding } from "./folder-node.ts";
import type { DataSpec } from "./spec-node.ts";
import { openTokenizer } from "./tokenizer-node.ts";

/** Token ids of a .jsonl file. Throws `data/unreadable`, `data/none`, `data/wrong-shape`. */
export async function openTokenLines(spec: DataSpec, inputs: readonly InputPort[]): Promise<IndexedDataset> {
  return tokensOf(parseTokenLines(await readText(spec.path), spec.path), spec, inputs);
}

/** Token ids of JSON: an array of texts, or an object that has it under `?key=`; null for other JSON. */
export function openTokenJson(json: unknown, spec: DataSpec, inputs: readonly InputPort[]): IndexedDataset | null {
  const texts = spec.key === undefined ? json : (json as Record<string, unknown> | null)?.[spec.key];
  if (!Array.isArray(texts) || texts.length === 0 || !texts.every(Array.isArray)) return null;
  return tokensOf(
    texts.map((text, i) => tokenLine(text, `${spec.path}, text ${i}`)),
    spec,
    inputs,
  );
}

/**
 * Token ids of NumPy: a text [tokens], cut into windows side by side where `?length=` says how long they are, or texts [texts, tokens]. Null
 * for arrays that are not of whole numbers, and for models that take no tokens.
 */
export async function openTokenArray(spec: DataSpec, inputs: readonly InputPort[]): Promise<IndexedDataset | null> {
  if (!tokenPort(inputs) || (inputs.length === 1 && spec.length === undefined)) return null;
  const arrays = [...((await openArrays(spec)) ?? [])];
  const [found, ...others] = arrays;
  if (!found || others.length > 0) return null;
  const [, rows] = found;
  if (!/^u?int\d+$/.test(rows.dtype) || rows.shape.length > 2) return null;
  const all = (await rows.read(Array.from({ length: rows.shape[0]! }, (_, i) => i))).numbers();
  const length = rows.shape[1];
  if (length === undefined) return streamOf(all, spec, inputs);
  const lines = Array.from({ length: rows.shape[0]! }, (_, n) => all.slice(n * length, (n + 1) * length));
  return tokensOf(
    lines.map((ids, n) => tokenLine(ids, `${spec.path}, text ${n}`)),
    spec,
    inputs,
  );
}

/**
 * Text as tokens: the whole file as one text without special tokens, or with `?lines=yes` each line that is not empty as a text with those
 * of the tokenizer. Throws `usage/missing` without a tokenizer.
 */
export async function openTokenText(spec: DataSpec, inputs: readonly InputPort[]): Promise<IndexedDataset> {
  const { path, tokenizer, lines } = spec;
  if (tokenizer === undefined) {
    throw new AvocetError("usage/missing", "expected a tokenizer for text, got none", {
      at: path,
      hint: `say which: "${path}?tokenizer=tokenizer.json&length=512"`,
    });
  }
  const [text, encode] = await Promise.all([readText(path), openTokenizer(tokenizer)]);
  if (!lines) return streamOf(encode(text, false), spec, inputs);
  const texts = text.split("\n").filter((line) => line.trim() !== "");
  return tokensOf(
    texts.map((line, n) => tokenLine(encode(line, true), `${path}, text ${n}`)),
    spec,
    inputs,
  );
}

/** One text, in windows side by side unless `hop` says otherwise. */
function streamOf(ids: readonly number[], spec: DataSpec, inputs: readonly InputPort[]): IndexedDataset {
  const hop = spec.hop ?? spec.length;
  return tokensOf([tokenLine(ids, spec.path)], hop === undefined ? spec : { ...spec, hop }, inputs);
}

function tokensOf(lines: readonly TokenLine[], spec: DataSpec, inputs: readonly InputPort[]): IndexedDataset {
  const { length, hop, pad, path } = spec;
  return tokenDataset(lines, { inputs, length, hop, pad }, path);
}

/**
 * The WAV files that a path means: itself, all of a folder, or those that a text file lists, one a line, next to it or below. Empty: it means
 * none. Throws `data/unreadable` for a list that leaves its folder.
 */
export async function audioFiles(path: string): Promise<string[]> {
  if (statOf(path).folder) return (await filesOf(path, [".wav"])).map((name) => join(path, name));
  if (hasEnding(path, [".wav"])) return [path];
  if (!hasEnding(path, [".txt"])) return [];
  const lines = (await readText(path)).split(/\r?\n/).filter((line) => line.trim() !== "");
  if (!lines.every((line) => hasEnding(line, [".wav"]))) return [];
  return lines.map((line) => inside(folderOf(path), line.trim(), path));
}

/**
 * Windows of WAV files as one array, shaped as the model's input; a length that the model leaves open is `?length=`.
 * Throws `data/unreadable`, `usage/missing`, `data/wrong-shape`.
 */
export async function openAudio(
  files: readonly string[],
  spec: DataSpec,
  input: InputPort | undefined,
): Promise<ArrayRows> {
  const lengths = input?.shape?.slice(1) ?? [null];
  const open = lengths.filter((dim) => typeof dim !== "number").length;
  if (open > 1 || (open === 1 && spec.length === undefined)) {
    throw new AvocetError(
      "usage/missing",
      `expected a length for windows of audio, the model has [${lengths.join(",")}]`,
      {
        at: spec.path,
        hint: `say it: "${spec.path}?length=16000", with "&hop=8000" for windows that overlap`,
      },
    );
  }
  const shape = lengths.map((dim) => (typeof dim === "number" ? dim : spec.length!));
  const opened = await Promise.all(files.map(async (file) => openWav(await fileSource(file))));
  return wavWindows(opened, { shape, hop: spec.hop, rate: spec.rate }, spec.path);
}
