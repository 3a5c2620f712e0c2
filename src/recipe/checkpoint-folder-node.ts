/**
 * The checkpoint of a run that writes an output folder: a folder next to it, `.NAME.avocet-checkpoint`. It says of which run it
 * is, so that what another run left is never taken for this one's.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { AvocetError, type Checkpoint, parseJson } from "../base/inner.ts";
import {
  disk,
  hiddenBeside,
  makeFolders,
  newFileBeside,
  outputPlace,
  quietly,
  readBytes,
  removeTree,
  sweepFiles,
  writable,
  writeWhole,
} from "../base/inner-node.ts";

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
  const folder = hiddenBeside(outputPlace(output), "checkpoint");
  // A run that ended before it kept anything left nothing, whatever the folder holds.
  const left = (quietly(() => disk.list(folder)) ?? []).some((name) => name.endsWith(".bin"));
  if (left && resume) expectSameRun(folder, identity);
  // Replacing waits for the first save, so that whoever forgot --resume can still stop the run and keep what is there.
  let ours = left && resume;
  const whose = JSON.stringify(Object.entries(identity).sort());
  // Of which run a file is, its name says: what another run should save in between is never read as this one's.
  const fileOf = (key: string) => {
    const name = createHash("sha256").update(whose).update("\n").update(key).digest("hex");
    return join(folder, `${name.slice(0, 32)}.bin`);
  };
  return {
    found: !left ? "nothing" : resume ? "resumed" : "replaced",
    get kept() {
      return quietly(() => disk.lstat(folder)) != null;
    },
    async load(key) {
      return ours ? readChecked(fileOf(key)) : undefined;
    },
    async save(key, bytes) {
      if (!ours) {
        writable(folder, () => removeTree(folder));
        makeFolders(folder);
        writeWhole(join(folder, identityFile), `${JSON.stringify(identity, null, 2)}\n`);
      }
      ours = true;
      const file = fileOf(key);
      sweepFiles(file);
      using made = newFileBeside(file, (sink) => {
        sink(digest(bytes));
        sink(bytes);
      });
      made.publish(file, "any");
    },
    remove() {
      writable(folder, () => removeTree(folder));
    },
  };
}

function expectSameRun(folder: string, identity: Readonly<Record<string, string>>): void {
  let found: Readonly<Record<string, string>>;
  try {
    const path = join(folder, identityFile);
    const text = Buffer.from(readBytes(path, 1e6)).toString();
    found = { ...(parseJson(text, { at: path, code: "resume/other-run" }) as object) };
  } catch {
    found = {};
  }
  const names = [...new Set([...Object.keys(identity), ...Object.keys(found)])];
  const other = names.filter((name) => identity[name] !== found[name]);
  if (other.length === 0) return;
  throw new AvocetError("resume/other-run", `expected the run that was interrupted, got another ${other.join(", ")}`, {
    at: folder,
    hint: "repeat the interrupted command with --resume, or leave --resume out to begin again",
  });
}

/** A disk that fails, or power that did, can leave other bytes than were written: the digest tells, and they are made again. */
function readChecked(path: string): Uint8Array | undefined {
  const file = quietly(() => (disk.lstat(path) ? readBytes(path) : undefined));
  if (!file) return undefined;
  const bytes = file.subarray(digestSize);
  return digest(bytes).equals(file.subarray(0, digestSize)) ? bytes : undefined;
}

const digestSize = 32;

function digest(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
