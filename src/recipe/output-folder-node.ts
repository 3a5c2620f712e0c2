/** An output folder that appears whole or not at all: built next to its place, then renamed. One run at a time. */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { AvocetError } from "../base/inner.ts";
import {
  appeared,
  disk,
  expectApart,
  hiddenBeside,
  isSame,
  isScaffold,
  type Lock,
  lockBeside,
  makeFolders,
  outputPlace,
  quietly,
  removeEmpty,
  removeTree,
  type Seen,
  sweepFiles,
  sweepFolder,
  syncFolder,
  writable,
  writeWhole,
} from "../base/inner-node.ts";
import { expectOurs, listFolder, type Manifest, writeManifest } from "./manifest-node.ts";

export interface OutputFolder extends Disposable {
  /** Where files are written before `commit`. */
  readonly staging: string;
  /** Writes a file: into the staging folder before `commit`, and whole or not at all into the folder after it. */
  write(name: string, content: string | Uint8Array): void;
  /**
   * Moves everything to its place; before that nothing is seen there. Throws `output/exists` when something appeared there
   * meanwhile, and `output/not-ours` when what is to be replaced was changed.
   */
  commit(): void;
}

/**
 * Starts an output folder. Throws `output/exists` unless `force`, which replaces a folder that Avocet made and nobody changed
 * (else `output/not-ours`); `output/is-input` when it is, holds or lies in one of `inputs`; `output/busy` when another run
 * makes it; `output/not-writable`. A run that was killed while it replaced a folder has it put back, and what it left is
 * removed. Disposing without `commit` leaves nothing behind.
 */
export function openOutputFolder(path: string, force = false, inputs: readonly string[] = []): OutputFolder {
  expectApart(path, inputs);
  const parents = makeFolders(dirname(outputPlace(path)));
  // Named again: where folders had to be made, links above them were not seen.
  const target = outputPlace(path);
  let lock: Lock | undefined;
  const staging = hiddenBeside(target, "staging");
  let committed = false;
  let files: Manifest = {};
  const close = () => {
    if (!committed && lock) quietly(() => removeTree(staging));
    lock?.[Symbol.dispose]();
    if (!committed) removeEmpty(parents);
  };
  let seen: Seen;
  try {
    lock = lockBeside(target);
    sweep(path, target);
    seen = replaceable(path, target, force);
    writable(path, () => disk.mkdir(staging));
  } catch (error) {
    close();
    throw error;
  }
  return {
    staging,
    write(name, content) {
      if (!committed) return writeWhole(join(staging, name), content);
      // Listed first, so that the folder is known as ours whenever this ends.
      const digest = createHash("sha256").update(content).digest("hex");
      writeManifest(target, { ...files, [name]: [files[name], digest].filter(Boolean).join(" ") });
      writeWhole(join(target, name), content);
      files = { ...files, [name]: digest };
      writeManifest(target, files);
    },
    commit() {
      lock.expectHeld();
      removeScaffolds(staging);
      files = writable(path, () => listFolder(staging));
      writeManifest(staging, files);
      syncFolder(staging);
      replace(path, staging, target, seen);
      committed = true;
    },
    [Symbol.dispose]: close,
  };
}

/** Locks and half-made files that could not be removed when their time was over are no part of the result. */
function removeScaffolds(staging: string): void {
  for (const name of writable(staging, () => disk.list(staging))) {
    if (isScaffold(name)) writable(staging, () => removeTree(join(staging, name)));
  }
}

/** What is there and may be replaced, to be known again; null is nothing. */
function replaceable(path: string, target: string, force: boolean): Seen {
  const found = writable(path, () => disk.lstat(target));
  if (!found) return null;
  const folder = found.isDirectory();
  if (!force) {
    throw new AvocetError("output/exists", `expected a new folder, ${path} exists`, {
      at: path,
      hint: folder ? "--force replaces it, when Avocet made it" : "it is no folder: choose another output",
    });
  }
  if (!folder) {
    throw new AvocetError("output/not-ours", "expected a folder that Avocet made, got something that is no folder", {
      at: path,
      hint: "remove it yourself, or choose another output",
    });
  }
  expectOurs(target, path);
  if (found.dev !== writable(path, () => disk.stat(dirname(target)))?.dev) {
    throw new AvocetError("output/not-writable", "expected a folder that can be replaced, got a mount point", {
      at: path,
    });
  }
  return { dev: found.dev, ino: found.ino };
}

/** Puts the new folder in its place. The old one is removed when the new one is there. */
function replace(path: string, staging: string, target: string, seen: Seen): void {
  if (
    !isSame(
      writable(path, () => disk.lstat(target)),
      seen,
    )
  )
    throw appeared(path);
  if (seen === null) {
    writable(path, () => disk.rename(staging, target));
    syncFolder(dirname(target));
    return;
  }
  expectOurs(target, path);
  const old = hiddenBeside(target, "old");
  writable(path, () => disk.rename(target, old));
  try {
    writable(path, () => disk.rename(staging, target));
  } catch (error) {
    quietly(() => disk.rename(old, target));
    throw error;
  }
  syncFolder(dirname(target));
  quietly(() => removeOld(target));
}

/** Under another name first: a folder that is half removed must never be taken for one to put back. */
function removeOld(target: string): void {
  const trash = hiddenBeside(target, "trash");
  removeTree(trash);
  disk.rename(hiddenBeside(target, "old"), trash);
  removeTree(trash);
}

/** Puts in order what a run left that was killed before it could: the folder as it was, and nothing next to it. Failing does no harm. */
export function sweepOutput(path: string): void {
  quietly(() => {
    const target = outputPlace(path);
    using _ = lockBeside(target);
    sweep(path, target);
  });
  // Some commands write a second file next to it.
  quietly(() => sweepFolder(dirname(outputPlace(path))));
}

/** Repairs what a killed run left. The lock is held, so no living run has anything here. */
function sweep(path: string, target: string): void {
  const old = hiddenBeside(target, "old");
  writable(path, () => {
    if (disk.lstat(old)) {
      if (disk.lstat(target)) removeOld(target);
      else disk.rename(old, target);
    }
    removeTree(hiddenBeside(target, "trash"));
    removeTree(hiddenBeside(target, "staging"));
  });
  sweepFiles(target);
}
