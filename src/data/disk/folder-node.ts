/** The files of a folder and its subfolders, in the order of their names. */
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { AvocetError } from "../../base/inner.ts";
import { disk } from "../../base/inner-node.ts";
import { byCodeUnit } from "../labels.ts";

/** Paths relative to the folder, by "/"; hidden files are left out, links are followed, no folder is entered twice. */
export async function filesOf(folder: string, endings: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const entered = new Set<string>();
  const walk = async (path: string, prefix: string): Promise<void> => {
    const real = await realpath(path);
    if (entered.has(real)) return;
    entered.add(real);
    const entries = (await readdir(path, { withFileTypes: true })).sort((a, b) => byCodeUnit(a.name, b.name));
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      const inner = join(path, entry.name);
      // A name that is no UTF-8 came as other letters, under which nothing is found.
      if (entry.name.includes("\ufffd") && !disk.lstat(inner)) {
        throw new AvocetError("data/unreadable", "expected file names in UTF-8, got one that is not", {
          at: inner,
          hint: "rename it, for example with convmv",
        });
      }
      const followed = entry.isSymbolicLink() ? await stat(inner).catch(() => null) : entry;
      if (followed?.isDirectory()) await walk(inner, `${prefix}${entry.name}/`);
      else if (followed?.isFile() && hasEnding(entry.name, endings)) found.push(prefix + entry.name);
    }
  };
  try {
    await walk(folder, "");
  } catch (cause) {
    if (AvocetError.is(cause)) throw cause;
    throw new AvocetError("data/unreadable", `expected a readable folder, got ${(cause as Error).message}`, {
      at: folder,
      cause,
    });
  }
  return found;
}

/** Whether a name ends like one of these, in any case. */
export function hasEnding(path: string, endings: readonly string[]): boolean {
  const name = basename(path).toLowerCase();
  return endings.some((ending) => name.endsWith(ending));
}

/** Classes of images by the top folder they lie in, or null when one lies in no folder. */
export function classFolders(
  files: readonly string[],
): { readonly names: string[]; readonly classes: number[] } | null {
  const folders = files.map((file) => (file.includes("/") ? file.slice(0, file.indexOf("/")) : null));
  if (folders.includes(null)) return null;
  const names = [...new Set(folders as string[])].sort(byCodeUnit);
  const number = new Map(names.map((name, i) => [name, i]));
  return { names, classes: folders.map((folder) => number.get(folder!)!) };
}
