/**
 * What Avocet put into a folder: a hidden list of names and digests, `.avocet.json`. Only a folder whose every file is on its
 * list, unchanged, is ever removed.
 */
import { join } from "node:path";
import { z } from "zod";
import { AvocetError, parseJson } from "../base/inner.ts";
import { disk, isScaffold, readBytes, sha256OfFile, writable, writeWhole } from "../base/inner-node.ts";

const manifestName = ".avocet.json";

const schema = z.object({ version: z.literal(1), files: z.record(z.string(), z.string()) });

/** SHA-256 by file name; two with a space between while a file is replaced. */
export type Manifest = Readonly<Record<string, string>>;

/** The list of everything that lies in a folder. */
export function listFolder(folder: string): Manifest {
  const names = disk.list(folder).filter((name) => name !== manifestName);
  return Object.fromEntries(names.sort().map((name) => [name, sha256OfFile(join(folder, name))]));
}

export function writeManifest(folder: string, files: Manifest): void {
  writeWhole(join(folder, manifestName), `${JSON.stringify({ version: 1, files }, null, 1)}\n`);
}

/** Throws `output/not-ours` when a folder holds anything that is not on its list as it is. An empty folder holds nothing. */
export function expectOurs(folder: string, path: string): void {
  const names = writable(path, () => disk.list(folder));
  if (names.length === 0) return;
  const files = readManifest(folder);
  if (!files) throw notOurs(path, "expected a folder that Avocet made, got another");
  for (const name of names) {
    if (name === manifestName || isScaffold(name)) continue;
    const inside = join(folder, name);
    if (files[name] === undefined) throw notOurs(path, `expected only what Avocet made, got ${name} next to it`);
    const known = files[name].split(" ");
    if (
      !writable(path, () => disk.lstat(inside))?.isFile() ||
      !known.includes(writable(path, () => sha256OfFile(inside)))
    )
      throw notOurs(path, `expected what Avocet made, ${name} was changed since`);
  }
}

function readManifest(folder: string): Manifest | undefined {
  const path = join(folder, manifestName);
  const found = writable(path, () => disk.lstat(path));
  if (!found?.isFile() || found.size > 1e6) return undefined;
  try {
    return schema.safeParse(parseJson(Buffer.from(readBytes(path)).toString(), { at: path, code: "output/not-ours" }))
      .data?.files;
  } catch {
    return undefined;
  }
}

function notOurs(path: string, problem: string): AvocetError {
  return new AvocetError("output/not-ours", problem, {
    at: path,
    hint: "--force removes only what Avocet made and nobody changed: remove the folder yourself, or choose another output",
  });
}
