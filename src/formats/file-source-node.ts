/** Files on disk as byte sources: opened for each read, so that nothing has to be closed. */
import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { AvocetError } from "../base/index.ts";
import type { ByteSource } from "./byte-source.ts";

/** Node refuses single reads of 2 GiB and more. */
const ONE_READ = 2 ** 30;

/**
 * A file that is read by range. Throws `import/not-found` for what is no file, and on reading `import/truncated` when
 * the file changed since.
 */
export function fileSource(path: string): ByteSource {
  const seen = statOf(path);
  return {
    name: path,
    size: seen.size,
    read: (offset, length) =>
      withFile(path, (fd) => {
        const now = fstatSync(fd);
        if (now.size !== seen.size || now.mtimeMs !== seen.mtimeMs || now.ino !== seen.ino) {
          throw new AvocetError("import/truncated", "expected the file as it was when the model was read, it changed", {
            at: path,
            hint: "read the model again",
          });
        }
        return readRange(fd, offset, length, path);
      }),
  };
}

/** A whole file of at most `most` bytes. Throws `import/not-found` and `import/too-large`. */
export function readWhole(path: string, most: number, hint: string): Uint8Array {
  const { size } = statOf(path);
  if (size > most) {
    throw new AvocetError("import/too-large", `expected a file of at most ${most} bytes, got ${size}`, {
      at: path,
      hint,
    });
  }
  return withFile(path, (fd) => readRange(fd, 0, size, path));
}

function statOf(path: string): Stats {
  let stats: Stats;
  try {
    stats = statSync(path);
  } catch (cause) {
    throw new AvocetError("import/not-found", "expected a file, got nothing there", { at: path, cause });
  }
  if (!stats.isFile()) throw new AvocetError("import/not-found", "expected a file, got something else", { at: path });
  return stats;
}

function withFile<T>(path: string, use: (fd: number) => T): T {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (cause) {
    throw new AvocetError("import/not-found", "expected a file that can be read", { at: path, cause });
  }
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function readRange(fd: number, offset: number, length: number, path: string): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const got = readSync(fd, bytes, done, Math.min(ONE_READ, length - done), offset + done);
    if (got === 0) {
      throw new AvocetError("import/truncated", `expected ${length} bytes at offset ${offset}, the file ends`, {
        at: path,
      });
    }
    done += got;
  }
  return bytes;
}
