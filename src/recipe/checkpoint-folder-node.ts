/**
 * The checkpoint of a run that writes an output folder: a folder beside it, `.NAME.avocet-checkpoint`. It says of which run it
 * is, so that what another run left is never taken for this one's.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { AvocetError, type Checkpoint, parseJson } from "../base/index.ts";

export interface CheckpointFolder extends Checkpoint {
  /** What an earlier run left for this output: nothing, something that is taken up, or something that is replaced. */
  readonly found: "nothing" | "resumed" | "replaced";
  /** Whether anything is kept for a later run. */
  readonly kept: boolean;
  /** Removes the folder: the run is complete. */
  remove(): void;
}

export interface CheckpointFolderOptions {
  /** All on which the results depend, by name: model, data, recipe, version. Two runs with the same are the same run. */
  readonly identity: Readonly<Record<string, string>>;
  /** Whether to go on from what an interrupted run left. Default false: it is replaced by the first thing saved. */
  readonly resume?: boolean;
}

const identityFile = "run.json";

/**
 * Opens the checkpoint of the run that writes `output`. Nothing is written before the first `save`. Throws
 * `resume/other-run` when it shall resume what a run with another identity left.
 */
export function openCheckpointFolder(
  output: string,
  { identity, resume = false }: CheckpointFolderOptions,
): CheckpointFolder {
  const target = resolve(output);
  const folder = join(dirname(target), `.${basename(target)}.avocet-checkpoint`);
  const left = existsSync(folder);
  if (left && resume) expectSameRun(folder, identity);
  // Replacing waits for the first save, so that whoever forgot --resume can still stop the run and keep what is there.
  let ours = left && resume;
  const fileOf = (key: string) => join(folder, `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.bin`);
  return {
    found: !left ? "nothing" : resume ? "resumed" : "replaced",
    get kept() {
      return existsSync(folder);
    },
    async load(key) {
      return ours ? readChecked(fileOf(key)) : undefined;
    },
    async save(key, bytes) {
      if (!ours) rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      if (!ours) writeWhole(join(folder, identityFile), [Buffer.from(`${JSON.stringify(identity, null, 2)}\n`)]);
      ours = true;
      writeWhole(fileOf(key), [digest(bytes), bytes]);
    },
    remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function expectSameRun(folder: string, identity: Readonly<Record<string, string>>): void {
  let found: Readonly<Record<string, string>>;
  try {
    const text = readFileSync(join(folder, identityFile), "utf8");
    found = { ...(parseJson(text, { at: folder, code: "resume/other-run" }) as object) };
  } catch {
    found = {};
  }
  const names = [...new Set([...Object.keys(identity), ...Object.keys(found)])];
  const other = names.filter((name) => identity[name] !== found[name]);
  if (other.length === 0) return;
  throw new AvocetError("resume/other-run", `expected the run that was interrupted, got another ${other.join(", ")}`, {
    at: folder,
    hint: "repeat the interrupted command with --resume, or leave --resume out to begin anew",
  });
}

/** Power that fails can leave a file that was renamed before its bytes were on the disk: the digest tells. */
function readChecked(path: string): Uint8Array | undefined {
  if (!existsSync(path)) return undefined;
  const file = readFileSync(path);
  const bytes = file.subarray(digestSize);
  return digest(bytes).equals(file.subarray(0, digestSize)) ? bytes : undefined;
}

const digestSize = 32;

function digest(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function writeWhole(path: string, parts: readonly Uint8Array[]): void {
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, Buffer.concat(parts));
  renameSync(unfinished, path);
}
