/** Sequences on disk: token ids as lines of JSON, and WAV audio, one file or a folder. */
import { join } from "node:path";
import { AvocetError } from "../../base/inner.ts";
import type { ArrayRows } from "../array-rows.ts";
import { parseTokenLines, type TokenLine, tokenDataset, tokenLine } from "../arrays/tokens.ts";
import { openWav, wavWindows } from "../arrays/wav.ts";
import type { IndexedDataset, InputPort } from "../dataset.ts";
import { folderOf, inside } from "./array-file-node.ts";
import { fileSource, readText, statOf } from "./file-source-node.ts";
import { filesOf, hasEnding } from "./folder-node.ts";
import type { DataSpec } from "./spec-node.ts";

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
