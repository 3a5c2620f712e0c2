/** Folders made and removed, call by call. */
import { dirname, join } from "node:path";
import { disk } from "./disk-node.ts";
import { notWritable, quietly, writable } from "./not-writable-node.ts";

/** Makes a folder and those above it, and returns those that it made, the outermost first. Throws `output/not-writable`. */
export function makeFolders(path: string): string[] {
  const missing: string[] = [];
  // Node's own way of doing this never returns where the system cannot make folders, as below /proc.
  for (let folder = path; writable(path, () => disk.stat(folder)) === null; folder = dirname(folder)) {
    missing.unshift(folder);
    if (dirname(folder) === folder) break;
  }
  const made: string[] = [];
  try {
    for (const folder of missing) {
      if (makeOne(path, folder)) made.push(folder);
    }
  } catch (error) {
    removeEmpty(made);
    throw error;
  }
  return made;
}

/** Whether it was made here; another run may have been faster. */
function makeOne(path: string, folder: string): boolean {
  try {
    disk.mkdir(folder);
    return true;
  } catch (error) {
    if (quietly(() => disk.stat(folder))?.isDirectory()) return false;
    throw notWritable(path, error);
  }
}

/** Removes folders that `makeFolders` made, where nothing was put into them. */
export function removeEmpty(folders: readonly string[]): void {
  for (const folder of folders.toReversed()) quietly(() => disk.rmdir(folder));
}

/** Removes a file or a folder with all that is in it; links are not followed. Nothing there is fine. */
export function removeTree(path: string): void {
  const found = disk.lstat(path);
  if (found === null) return;
  if (!found.isDirectory()) {
    disk.unlink(path);
    return;
  }
  for (const name of disk.list(path)) removeTree(join(path, name));
  disk.rmdir(path);
}

/** Makes renames in a folder durable. What a file holds is safe already, and not every system can do this. */
export function syncFolder(folder: string): void {
  quietly(() => {
    const fd = disk.open(folder);
    try {
      disk.fsync(fd);
    } finally {
      disk.close(fd);
    }
  });
}
