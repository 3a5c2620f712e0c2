/** Arrays of files: .npy, .npz, raw elements with a description, IDX; any of them gzipped. */
import { existsSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { AvocetError, parseJson } from "../../base/inner.ts";
import { type ArrayRows, rowsOfBytes } from "../array-rows.ts";
import { openNpy } from "../arrays/npy.ts";
import { openNpz } from "../arrays/npz.ts";
import { gunzipped, idxLayout, parseRaw, rawEndings, rawLayout } from "../arrays/raw.ts";
import type { ByteSource } from "../byte-source.ts";
import { fileSource, readJson } from "./file-source-node.ts";
import { hasEnding } from "./folder-node.ts";
import type { DataSpec } from "./spec-node.ts";

const rawNames = [...Object.keys(rawEndings).map((ending) => `.${ending}`), ".bin", ".raw"];

/** The arrays of a file: by name for .npz, else one under the name "". Null when the file is none of these. */
export async function openArrays(spec: DataSpec): Promise<Map<string, ArrayRows> | null> {
  const { path } = spec;
  const one = (rows: ArrayRows) => new Map([["", rows]]);
  if (path.startsWith("{")) return one(await openDescribed(parseInline(path), null, path));
  const file = await fileSource(path);
  const source = hasEnding(path, [".gz"]) ? await gunzipped(file) : file;
  const start = await source.read(0, Math.min(source.size, 6));
  if (startsWith(start, [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59])) return one(await openNpy(source));
  if (startsWith(start, [0x50, 0x4b, 3, 4]) || startsWith(start, [0x50, 0x4b, 5, 6])) return openNpz(source);
  if (hasEnding(path, [".npy", ".npz"])) {
    throw new AvocetError("data/unreadable", "expected a NumPy file, got other bytes", { at: path });
  }
  const raw = hasEnding(path, [...rawNames, ...rawNames.map((ending) => `${ending}.gz`)]);
  if (raw || spec.shape) return one(await openRaw(source, spec));
  const idx = await idxLayout(source);
  return idx ? one(rowsOfBytes(source, idx)) : null;
}

/** Whether JSON describes a raw array. */
export function isRawDescription(json: unknown): boolean {
  return typeof json === "object" && json !== null && "file" in json && "shape" in json;
}

/**
 * The raw array that a description names; it must lie in `folder`, the description's own (null: what a user typed may
 * name any file). Throws `data/unreadable`, `import/path-escape`.
 */
export async function openDescribed(json: unknown, folder: string | null, at: string): Promise<ArrayRows> {
  const description = parseRaw(json, at);
  const file = await fileSource(folder === null ? description.file : inside(folder, description.file, at));
  const source = hasEnding(file.name, [".gz"]) ? await gunzipped(file) : file;
  return rowsOfBytes(source, rawLayout(description, source.size, source.name));
}

/** A path that a file names, kept inside the folder of that file. Throws `import/path-escape`. */
export function inside(folder: string, path: string, at: string): string {
  const found = resolve(folder, path);
  const way = relative(resolve(folder), found);
  if (isAbsolute(path) || way.startsWith("..") || isAbsolute(way)) {
    throw new AvocetError("import/path-escape", `expected a file in the same folder, got "${path}"`, { at });
  }
  return found;
}

async function openRaw(source: ByteSource, { path, dtype, shape }: DataSpec): Promise<ArrayRows> {
  if (shape) return rowsOfBytes(source, rawLayout({ dtype, shape }, source.size, path));
  const plain = path.replace(/\.gz$/, "");
  const beside = [`${path}.json`, `${plain}.json`, plain.replace(/\.[^./\\]+$/, ".json")].find((name) =>
    existsSync(name),
  );
  const described = beside ? await readJson(beside) : null;
  if (isRawDescription(described)) {
    return rowsOfBytes(source, rawLayout(parseRaw(described, beside!), source.size, path));
  }
  // A list of numbers needs no description.
  return rowsOfBytes(source, rawLayout({ dtype, shape: [-1] }, source.size, path));
}

function parseInline(text: string): unknown {
  return parseJson(text, { at: text, code: "usage/bad-value" });
}

function startsWith(bytes: Uint8Array, start: readonly number[]): boolean {
  return start.every((byte, i) => bytes[i] === byte);
}

/** The folder in which a file lies. */
export function folderOf(path: string): string {
  return dirname(resolve(path));
}
