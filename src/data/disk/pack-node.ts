/** Packs on disk: either of the two files may be named, the other lies next to it. */
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { AvocetError } from "../../base/inner.ts";
import { isPackIndex, type PackIndex, parsePackIndex } from "../pack.ts";
import { folderOf, inside } from "./array-file-node.ts";
import { readJson } from "./file-source-node.ts";
import { hasEnding } from "./folder-node.ts";

/** How names of packs end, by what most of them hold; images are told by their content. */
const packEndings = [".jpgpack", ".pngpack"];

/** Whether a path is named like a pack. */
export function isPack(path: string): boolean {
  return hasEnding(path, packEndings);
}

export interface PackPaths {
  readonly pack: string;
  readonly indexPath: string;
  readonly index: PackIndex;
}

/** The pack whose index this is. Throws `data/not-found`, `data/unreadable`. */
export function packOfIndex(indexPath: string, json: unknown): PackPaths {
  const index = parsePackIndex(json, indexPath);
  const folder = folderOf(indexPath);
  if (index.pack) return { pack: inside(folder, index.pack, indexPath), indexPath, index };
  const named = packEndings.map((ending) => indexPath.replace(/\.json$/i, ending)).find((path) => existsSync(path));
  return { pack: named ?? onlyFile(folder, packEndings, indexPath), indexPath, index };
}

/** The index of this pack, and the pack. Throws `data/not-found`, `data/unreadable`. */
export async function packOfFile(pack: string): Promise<PackPaths> {
  const folder = folderOf(pack);
  const candidates = [pack.replace(/\.\w+$/, ".json"), `${pack}.json`, join(folder, "index.json")];
  const indexPath = candidates.find((path) => existsSync(path)) ?? onlyFile(folder, [".json"], pack);
  const json = await readJson(indexPath);
  if (!isPackIndex(json)) {
    throw new AvocetError("data/unreadable", "expected the index of a pack, got other JSON", { at: indexPath });
  }
  return { pack, indexPath, index: parsePackIndex(json, indexPath) };
}

function onlyFile(folder: string, endings: readonly string[], at: string): string {
  const found = readdirSync(folder).filter((name) => hasEnding(name, endings));
  if (found.length === 1) return join(folder, found[0]!);
  throw new AvocetError(
    "data/not-found",
    `expected one ${endings.join(" or ")} file next to it, got ${found.length || "none"}`,
    {
      at,
      hint: `name both alike: ${basename(at).replace(/\.[^.]+$/, "")}.jpgpack and .json`,
    },
  );
}
