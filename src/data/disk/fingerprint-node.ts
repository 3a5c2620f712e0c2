/** Whether data on disk is the same as before, told from names, sizes and times of its files without reading them. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { parseJson } from "../../base/inner.ts";
import { parseRaw } from "../arrays/raw.ts";
import { isPackIndex } from "../pack.ts";
import { folderOf, inside, isRawDescription } from "./array-file-node.ts";
import { readJson, statOf } from "./file-source-node.ts";
import { filesOf, hasEnding } from "./folder-node.ts";
import { isPack, type PackPaths, packOfFile, packOfIndex } from "./pack-node.ts";
import { audioFiles } from "./sequence-node.ts";
import { parseDataSpec } from "./spec-node.ts";

/**
 * A digest of what `spec` says and of the files it names: all of a folder, both of a pack, a description and its raw array.
 * Throws `data/not-found`, `usage/bad-value`.
 */
export async function dataFingerprint(spec: string): Promise<string> {
  const hash = createHash("sha256").update(spec);
  for (const [file, stamp] of await dataStamps(spec)) hash.update(`\n${file} ${stamp}`);
  return hash.digest("hex");
}

/** Size and time of each file behind `spec`. Throws `data/not-found`, `usage/bad-value`. */
export async function dataStamps(spec: string): Promise<Map<string, string>> {
  const stamps = new Map<string, string>();
  for (const file of await filesBehind(parseDataSpec(spec).path)) {
    const { size, mtimeMs } = statOf(file);
    stamps.set(file, `${size} ${mtimeMs}`);
  }
  return stamps;
}

/** What is read for `spec`: a folder as it is, else the files. For the paths alone; nothing needs to be there. */
export async function dataPaths(spec: string): Promise<string[]> {
  const { path } = parseDataSpec(spec);
  try {
    return statOf(path).folder ? [path] : await filesBehind(path);
  } catch {
    return [path];
  }
}

async function filesBehind(path: string): Promise<string[]> {
  if (path.startsWith("{")) return [parseRaw(parseJson(path, { at: path, code: "usage/bad-value" }), path).file];
  if (statOf(path).folder) return (await filesOf(path, [""])).map((name) => join(path, name));
  if (isPack(path)) return bothOf(await packOfFile(path));
  if (hasEnding(path, [".txt"])) return [path, ...(await audioFiles(path))];
  if (!hasEnding(path, [".json"])) return [path];
  const json = await readJson(path);
  if (isPackIndex(json)) return bothOf(packOfIndex(path, json));
  return isRawDescription(json) ? [path, inside(folderOf(path), parseRaw(json, path).file, path)] : [path];
}

function bothOf({ pack, indexPath }: PackPaths): string[] {
  return [indexPath, pack];
}
