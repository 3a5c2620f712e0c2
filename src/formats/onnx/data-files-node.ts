/** Data files of models, named after their content: `MODEL.onnx.0123456789abcdef.data`. */
import { basename, dirname, join, resolve } from "node:path";
import { disk, quietly } from "../../base/inner-node.ts";

/** The name of a model's data file with this SHA-256. */
export function dataLocation(model: string, sha256: string): string {
  return `${model}.${sha256.slice(0, 16)}.data`;
}

/**
 * Removes the data files that earlier versions of this model had, or that a killed run left: those of its name that are not
 * `used`, and that no model of the folder names. Failing does no harm.
 */
export function removeUnused(model: string, used: ReadonlySet<string>): void {
  const [folder, prefix] = [dirname(model), `${basename(model)}.`];
  const kept = new Set([...used].flatMap((path) => [resolve(path), quietly(() => disk.realpath(path)) ?? path]));
  const names = quietly(() => disk.list(folder)) ?? [];
  const ours = names.filter(
    (name) => name.startsWith(prefix) && /^[0-9a-f]{16}\.data$/.test(name.slice(prefix.length)),
  );
  // What can't be looked at is not known to be unused.
  let unused = ours.filter((name) => {
    const real = quietly(() => disk.realpath(join(folder, name)));
    return real !== undefined && !kept.has(real) && !kept.has(resolve(folder, name));
  });
  // A copy of the model under another name still reads them.
  for (const other of names) {
    if (unused.length === 0) return;
    if (other === basename(model) || !other.endsWith(".onnx")) continue;
    const named = quietly(() => namesIn(join(folder, other), unused));
    // What can't be read may name any of them.
    unused = unused.filter((name) => named !== undefined && !named.has(name));
  }
  for (const name of unused) quietly(() => disk.unlink(join(folder, name)));
}

/** Which of these names occur in a file. */
function namesIn(path: string, names: readonly string[]): Set<string> {
  const found = new Set<string>();
  const fd = disk.open(path);
  try {
    const chunk = Buffer.alloc(8 << 20);
    // Names that lie across two chunks are seen by what is kept of the one before.
    const overlap = 1024;
    for (let kept = 0; ; ) {
      const length = disk.read(fd, chunk, kept, null);
      if (length === 0) return found;
      const seen = chunk.subarray(0, kept + length);
      for (const name of names) if (seen.includes(name)) found.add(name);
      kept = Math.min(overlap, seen.length);
      chunk.copyWithin(0, seen.length - kept, seen.length);
    }
  } finally {
    disk.close(fd);
  }
}
