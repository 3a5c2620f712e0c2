/** Files that appear whole or not at all: written next to their place, made durable, then renamed. */
import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import { basename, dirname, join } from "node:path";
import { disk } from "./disk-node.ts";
import { AvocetError } from "./errors.ts";
import { syncFolder } from "./folders-node.ts";
import { hiddenBeside } from "./hidden-name-node.ts";
import { sweepLock } from "./lock-node.ts";
import { appeared, notWritable, quietly, writable } from "./not-writable-node.ts";
import { dropToken, isGone, takeToken, tokenPattern } from "./owner-node.ts";

/** What was seen at a place, to be known again; null is nothing. */
export type Seen = { readonly dev: number; readonly ino: number } | null;

/** A file under construction next to its place. Disposing removes it, unless it was published. */
export interface NewFile extends Disposable {
  readonly path: string;
  readonly byteLength: number;
  /** SHA-256 of its bytes, in hexadecimal. */
  readonly sha256: string;
  /**
   * Puts it in its place, where `seen` was seen before: nothing (null), or what may be replaced. Throws `output/exists` when
   * something else is there by now. `"any"` replaces what there is.
   */
  publish(place: string, seen: Seen | "any"): void;
}

/** A day: nobody writes one file for longer. */
const patience = 24 * 3600e3;

/** Writes a new file next to `place`, and makes it durable (default). Throws `output/not-writable`; then nothing is left behind. */
export function newFileBeside(
  place: string,
  fill: (sink: (chunk: Uint8Array) => void) => void,
  durable = true,
): NewFile {
  const token = takeToken();
  const path = hiddenBeside(place, token);
  const hash = createHash("sha256");
  let byteLength = 0;
  let published = false;
  const discard = () => {
    if (!published) quietly(() => disk.unlink(path));
    dropToken(token);
  };
  try {
    const fd = writable(place, () => disk.create(path));
    try {
      fill((chunk) => {
        hash.update(chunk);
        byteLength += chunk.length;
        writable(place, () => disk.write(fd, chunk));
      });
      if (durable) writable(place, () => disk.fsync(fd));
    } finally {
      writable(place, () => disk.close(fd));
    }
  } catch (error) {
    discard();
    throw error;
  }
  return {
    path,
    byteLength,
    sha256: hash.digest("hex"),
    publish(target, seen) {
      if (seen === null) moveToFree(path, target);
      else {
        const found = writable(target, () => disk.lstat(target));
        if (seen !== "any" && !isSame(found, seen)) throw appeared(target);
        if (found) expectFile(target, found);
        writable(target, () => disk.rename(path, target));
      }
      published = true;
      syncFolder(dirname(target));
    },
    [Symbol.dispose]: discard,
  };
}

/** Writes a file whole; what is there is replaced. Throws `output/not-writable`. */
export function writeWhole(place: string, content: string | Uint8Array): void {
  using made = newFileBeside(place, (sink) => sink(typeof content === "string" ? Buffer.from(content) : content));
  made.publish(place, "any");
}

/** A rename onto a device or a pipe would remove it. Throws `output/not-writable`. */
export function expectFile(place: string, found: Stats): void {
  if (found.isFile()) return;
  const what = found.isDirectory() ? "a folder" : found.isSymbolicLink() ? "a link" : "a device, a pipe or a socket";
  throw new AvocetError("output/not-writable", `expected a file or nothing, got ${what}`, {
    at: place,
    hint: "choose another output",
  });
}

/** A rename that never replaces: a link fails where something is, and only some file systems have none. */
function moveToFree(from: string, to: string): void {
  try {
    disk.link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw appeared(to);
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV"].includes(code ?? ""))
      throw notWritable(to, error);
    if (writable(to, () => disk.lstat(to))) throw appeared(to);
    writable(to, () => disk.rename(from, to));
    return;
  }
  quietly(() => disk.unlink(from));
}

/** Removes what killed runs left of files for this place. */
export function sweepFiles(place: string): void {
  sweepLock(place);
  const prefix = basename(hiddenBeside(place, ""));
  const ours = new RegExp(`^(?:lock-)?(${tokenPattern})(?:\\.old)?$`);
  for (const name of quietly(() => disk.list(dirname(place))) ?? []) {
    const token = name.startsWith(prefix) ? ours.exec(name.slice(prefix.length))?.[1] : undefined;
    if (token === undefined) continue;
    const path = join(dirname(place), name);
    quietly(() => {
      const silence = Date.now() - (disk.lstat(path)?.mtimeMs ?? Date.now());
      if (isGone(token, silence, patience)) disk.unlink(path);
    });
  }
}

/** The same for every place in a folder. */
export function sweepFolder(folder: string): void {
  const scaffolds = (quietly(() => disk.list(folder)) ?? []).filter(isScaffold);
  const names = new Set(scaffolds.map((name) => /^\.(.+)\.avocet-/.exec(name)![1]!));
  for (const name of names) sweepFiles(join(folder, name));
}

/** Whether a name is that of a file under construction or of a lock, or of what a killed run left of one. */
export function isScaffold(name: string): boolean {
  return new RegExp(`^\\..+\\.avocet-(?:lock|(?:lock-)?${tokenPattern}(?:\\.old)?)$`).test(name);
}

export function isSame(a: { readonly dev: number; readonly ino: number } | null, b: Seen): boolean {
  return a === null || b === null ? a === b : a.dev === b.dev && a.ino === b.ino;
}
