/** Notices inputs that change while a command runs: what was made of the old one must not be judged by the new one. */
import { AvocetError } from "../base/inner.ts";
import { disk, quietly } from "../base/inner-node.ts";
import { dataStamps } from "../data/inner-node.ts";

export interface InputWatch {
  /** Throws `import/changed` for the first input that is not as it was. */
  expectUnchanged(): Promise<void>;
}

/** Watches files, and all files behind what data specs name. Absent options are left out. */
export async function watchInputs(
  files: readonly (string | undefined)[],
  data: readonly (string | undefined)[],
): Promise<InputWatch> {
  const seen = await stampsOf(files, data);
  return {
    async expectUnchanged() {
      const now = await stampsOf(files, data);
      for (const path of new Set([...seen.keys(), ...now.keys()])) {
        if (seen.get(path) === now.get(path)) continue;
        const what = !now.has(path) ? "is gone" : seen.has(path) ? "was changed" : "appeared";
        throw new AvocetError("import/changed", `expected inputs that stay as they are, one ${what} during the run`, {
          at: path,
          hint: "repeat the command while nobody writes to its inputs",
        });
      }
    },
  };
}

async function stampsOf(
  files: readonly (string | undefined)[],
  data: readonly (string | undefined)[],
): Promise<Map<string, string>> {
  const stamps = new Map<string, string>();
  for (const path of files) {
    const found = path === undefined ? null : quietly(() => disk.stat(path));
    if (found) stamps.set(path!, `${found.dev} ${found.ino} ${found.size} ${found.mtimeMs}`);
  }
  for (const spec of data) {
    if (spec === undefined) continue;
    // What is gone can't be listed any more: then its files are missed, which is told.
    for (const [path, stamp] of await dataStamps(spec).catch(() => new Map<string, string>())) stamps.set(path, stamp);
  }
  return stamps;
}
