/** Files of the disk, read by range. */
import { AvocetError, parseJson } from "../../base/inner.ts";
import { disk } from "../../base/inner-node.ts";
import { type ByteSource, checkRange } from "../byte-source.ts";
import { dataLimits } from "../limits.ts";

/** A file. Nothing stays open between reads. Throws `data/not-found`, `data/unreadable`. */
export async function fileSource(path: string): Promise<ByteSource> {
  const { size } = fileOf(path);
  return {
    name: path,
    size,
    async read(offset, length) {
      checkRange(path, size, offset, length);
      const bytes = await readAt(path, offset, length);
      if (bytes.length < length) checkRange(path, offset + bytes.length, offset, length);
      return bytes;
    },
  };
}

/** A whole file of at most `limit` bytes. Throws `data/not-found`, `data/unreadable`, `data/too-large`. */
export async function readWhole(path: string, limit: number): Promise<Uint8Array> {
  const { size } = fileOf(path);
  if (size > limit) {
    throw new AvocetError("data/too-large", `expected a file of at most ${limit} bytes, got ${size}`, { at: path });
  }
  return readAt(path, 0, size);
}

async function readAt(path: string, offset: number, length: number): Promise<Uint8Array> {
  try {
    return await disk.readAsync(path, offset, length);
  } catch (cause) {
    throw notReadable(path, cause);
  }
}

/** A text of at most `dataLimits.textBytes`. Throws `data/not-found`, `data/unreadable`, `data/too-large`. */
export async function readText(path: string): Promise<string> {
  const bytes = await readWhole(path, dataLimits.textBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AvocetError("data/unreadable", "expected text, got bytes that are no UTF-8", { at: path, cause });
  }
}

/** A JSON file. Throws `data/not-found`, `data/unreadable`, `data/too-large`. */
export async function readJson(path: string): Promise<unknown> {
  return parseJson(await readText(path), { at: path, code: "data/unreadable" });
}

export interface Found {
  readonly size: number;
  readonly mtimeMs: number;
  readonly folder: boolean;
}

/** What a path is: a file or a folder. Throws `data/not-found`, and `data/unreadable` for what has no end or no rights. */
export function statOf(path: string): Found {
  let found: ReturnType<typeof disk.stat>;
  try {
    found = disk.stat(path);
  } catch (cause) {
    throw notReadable(path, cause);
  }
  if (!found) {
    throw new AvocetError("data/not-found", "expected a file or a folder, got nothing there", { at: path });
  }
  if (!found.isFile() && !found.isDirectory()) {
    throw new AvocetError("data/unreadable", "expected a file or a folder, got a device, a pipe or a socket", {
      at: path,
      hint: "write what comes out of it to a file first",
    });
  }
  return { size: found.size, mtimeMs: found.mtimeMs, folder: found.isDirectory() };
}

function fileOf(path: string): Found {
  const found = statOf(path);
  if (!found.folder) return found;
  throw new AvocetError("data/unreadable", "expected a file, got a folder", { at: path });
}

function notReadable(path: string, cause: unknown): AvocetError {
  return new AvocetError("data/unreadable", `expected a readable file, got ${(cause as Error).message}`, {
    at: path,
    cause,
  });
}
