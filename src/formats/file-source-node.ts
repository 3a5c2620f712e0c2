/** Files on disk as byte sources: opened for each read, so that nothing has to be closed. */
import type { Stats } from "node:fs";
import { AvocetError } from "../base/inner.ts";
import { disk } from "../base/inner-node.ts";
import type { ByteSource } from "./byte-source.ts";
import { foreignFolder } from "./foreign-folder-node.ts";

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
        const now = disk.fstat(fd);
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

/** The first `length` bytes of a file, or as many as it has. Throws `import/not-found`. */
export function readStart(path: string, length: number): Uint8Array {
  const { size } = statOf(path);
  return withFile(path, (fd) => readRange(fd, 0, Math.min(length, size), path));
}

/** A whole file of at most `most` bytes. Throws `import/not-found` and `import/too-large`. */
export function readWhole(path: string, most: number, hint: string): Uint8Array {
  const size = sizeWithin(path, most, hint);
  return withFile(path, (fd) => readRange(fd, 0, size, path));
}

function sizeWithin(path: string, most: number, hint: string): number {
  const { size } = statOf(path);
  if (size <= most) return size;
  throw new AvocetError("import/too-large", `expected a file of at most ${most} bytes, got ${size}`, {
    at: path,
    hint,
  });
}

function statOf(path: string): Stats {
  let stats: Stats | null;
  try {
    stats = disk.stat(path);
  } catch (cause) {
    throw notReadable(path, cause);
  }
  if (!stats) throw new AvocetError("import/not-found", "expected a file, got nothing there", { at: path });
  if (stats.isFile()) return stats;
  const { what, way } = stats.isDirectory()
    ? foreignFolder(path)
    : { what: "a device, a pipe or a socket", way: undefined };
  throw new AvocetError("import/not-found", `expected a file, got ${what}`, {
    at: path,
    hint: way ?? "copy it into a file first",
  });
}

function withFile<T>(path: string, use: (fd: number) => T): T {
  try {
    const fd = disk.open(path);
    try {
      return use(fd);
    } finally {
      disk.close(fd);
    }
  } catch (cause) {
    throw notReadable(path, cause);
  }
}

function notReadable(path: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (AvocetError.is(cause) || code === undefined) return cause;
  return new AvocetError("import/not-found", `expected a file that can be read, got ${code}`, { at: path, cause });
}

function readRange(fd: number, offset: number, length: number, path: string): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const got = disk.read(fd, bytes, done, offset + done);
    if (got === 0) {
      throw new AvocetError("import/truncated", `expected ${length} bytes at offset ${offset}, the file ends`, {
        at: path,
      });
    }
    done += got;
  }
  return bytes;
}
