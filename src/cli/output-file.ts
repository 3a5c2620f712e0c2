/** Files that commands write: never over another without --force, whole or not at all. */
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { AvocetError } from "../base/index.ts";

export interface OutputOptions {
  readonly output: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Throws `output/exists` when something is there and --force was not given. */
export function expectNew(path: string, force: boolean | undefined): void {
  if (!existsSync(path) || force) return;
  throw new AvocetError("output/exists", `expected a new file, ${path} exists`, {
    at: path,
    hint: "--force replaces it",
  });
}

/** Writes a file beside its place and renames it. Throws `output/exists`, `output/not-writable`. */
export function writeOutput(path: string, content: string | Uint8Array, force: boolean | undefined): void {
  expectNew(path, force);
  const made = join(dirname(path), `.${basename(path)}.avocet-${process.pid}`);
  try {
    writeFileSync(made, content);
    renameSync(made, path);
  } catch (cause) {
    rmSync(made, { force: true });
    throw new AvocetError("output/not-writable", `expected a place to write to, got ${(cause as Error).message}`, {
      at: path,
      cause,
    });
  }
}
