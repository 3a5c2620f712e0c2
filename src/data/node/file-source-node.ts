/** Files of the disk, read by range. */
import { open, readFile, stat } from "node:fs/promises";
import { AvocetError, jsonLimits, parseJson } from "../../base/index.ts";
import { type ByteSource, checkRange } from "../byte-source.ts";

/** A file. Nothing stays open between reads. Throws `data/not-found`. */
export async function fileSource(path: string): Promise<ByteSource> {
  const { size } = await statOf(path);
  return {
    name: path,
    size,
    async read(offset, length) {
      checkRange(path, size, offset, length);
      const bytes = new Uint8Array(length);
      const file = await open(path, "r").catch((cause) => notReadable(path, cause));
      try {
        for (let done = 0; done < length; ) {
          // One system call moves less than 2 GiB.
          const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 2 ** 30), offset + done);
          if (bytesRead === 0) checkRange(path, offset + done, offset, length);
          done += bytesRead;
        }
      } finally {
        await file.close();
      }
      return bytes;
    },
  };
}

/** A whole file of at most `limit` bytes. Throws `data/not-found`, `data/unreadable`. */
export async function readWhole(path: string, limit = 2 ** 30): Promise<Uint8Array> {
  const { size } = await statOf(path);
  if (size > limit) {
    throw new AvocetError("data/unreadable", `expected a file of at most ${limit} bytes, got ${size}`, { at: path });
  }
  return readFile(path).catch((cause) => notReadable(path, cause));
}

/** A JSON file. Throws `data/not-found`, `data/unreadable`. */
export async function readJson(path: string): Promise<unknown> {
  const bytes = await readWhole(path, jsonLimits.characters);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AvocetError("data/unreadable", `expected JSON, got ${(cause as Error).message}`, { at: path, cause });
  }
  return parseJson(text, { at: path, code: "data/unreadable" });
}

/** What a path is. Throws `data/not-found`. */
export async function statOf(
  path: string,
): Promise<{ readonly size: number; readonly mtimeMs: number; readonly folder: boolean }> {
  try {
    const found = await stat(path);
    return { size: found.size, mtimeMs: found.mtimeMs, folder: found.isDirectory() };
  } catch (cause) {
    throw new AvocetError("data/not-found", "expected a file or a folder, got nothing there", { at: path, cause });
  }
}

function notReadable(path: string, cause: unknown): never {
  throw new AvocetError("data/unreadable", `expected a readable file, got ${(cause as Error).message}`, {
    at: path,
    cause,
  });
}
