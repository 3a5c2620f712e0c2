/** An output folder that appears whole or not at all: built beside its place, then renamed. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { AvocetError } from "../base/index.ts";

export interface OutputFolder extends Disposable {
  /** Where files are written before `commit`. */
  readonly staging: string;
  write(name: string, content: string | Uint8Array): void;
  /** Moves everything to its place; before that nothing is seen there. */
  commit(): void;
}

/**
 * Starts an output folder. Throws `output/exists` unless `force`, and `output/not-writable` where it cannot be made.
 * Leftovers of runs that were killed are swept. Disposing without `commit` leaves nothing behind.
 */
export function openOutputFolder(path: string, force = false): OutputFolder {
  const target = resolve(path);
  const parent = dirname(target);
  if (existsSync(target) && !force) {
    throw new AvocetError("output/exists", `expected a new folder, ${path} exists`, {
      at: path,
      hint: "--force replaces it",
    });
  }
  const staging = join(parent, `.${basename(target)}.avocet-${process.pid}`);
  attempt(path, () => {
    mkdirSync(parent, { recursive: true });
    sweep(parent, basename(target));
    mkdirSync(staging);
  });
  let committed = false;
  return {
    staging,
    write(name, content) {
      attempt(path, () => writeFileSync(join(staging, name), content));
    },
    commit() {
      attempt(path, () => replace(staging, target));
      committed = true;
    },
    [Symbol.dispose]() {
      if (!committed) rmSync(staging, { recursive: true, force: true });
    },
  };
}

/** Puts a folder or file in the place of another, which is only removed when the new one is there. */
function replace(staging: string, target: string): void {
  if (!existsSync(target)) {
    renameSync(staging, target);
    return;
  }
  const aside = join(dirname(target), `.${basename(target)}.avocet-old-${process.pid}`);
  renameSync(target, aside);
  try {
    renameSync(staging, target);
  } catch (error) {
    renameSync(aside, target);
    throw error;
  }
  rmSync(aside, { recursive: true, force: true });
}

/** Removes what killed runs left: their process is gone. */
function sweep(parent: string, name: string): void {
  for (const entry of readdirSync(parent)) {
    const found = new RegExp(`^\\.${literal(name)}\\.avocet-(?:old-)?(\\d+)$`).exec(entry);
    if (found && !alive(Number(found[1]))) rmSync(join(parent, entry), { recursive: true, force: true });
  }
}

function alive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function attempt(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new AvocetError("output/not-writable", `expected a place to write to, got ${code ?? message}`, {
      at: path,
      hint: "choose a folder whose parent can be written",
      cause: error,
    });
  }
}
