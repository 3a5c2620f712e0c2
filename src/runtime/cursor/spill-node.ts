/** Activations on disk: one temporary file that vanishes with the process, however it ends. */
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AvocetError } from "../../base/inner.ts";
import type { Spill } from "./activations.ts";

/** `folder` holds the file (default: the system's folder for temporary files). Throws `output/not-writable`. */
export async function openSpill(folder = tmpdir()): Promise<Spill> {
  let home: string | undefined;
  try {
    home = await mkdtemp(join(folder, "avocet-activations-"));
    const file = await open(join(home, "spill"), "wx+");
    // Where the system allows it the name goes at once, and the space with the last handle, even after a crash.
    const isGone = await rm(home, { recursive: true }).then(
      () => true,
      () => false,
    );
    return new FileSpill(file, isGone ? null : home);
  } catch (cause) {
    if (home !== undefined) await rm(home, { recursive: true, force: true });
    throw notWritable(folder, cause);
  }
}

class FileSpill implements Spill {
  readonly #file: FileHandle;
  readonly #home: string | null;
  /** Freed extents by length; batches of one value are equally long, so most find an exact match. */
  readonly #free = new Map<number, number[]>();
  #end = 0;

  constructor(file: FileHandle, home: string | null) {
    this.#file = file;
    this.#home = home;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const at = this.#free.get(bytes.length)?.pop() ?? this.#end;
    if (at === this.#end) this.#end += bytes.length;
    for (let done = 0; done < bytes.length; ) {
      const left = bytes.length - done;
      const { bytesWritten } = await this.#file.write(bytes, done, left, at + done).catch((cause: unknown) => {
        throw notWritable(this.#home ?? tmpdir(), cause);
      });
      done += bytesWritten;
    }
    return at;
  }

  async read(at: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, at + done);
      if (bytesRead === 0) throw new Error("internal: the file of activations is shorter than what was written");
      done += bytesRead;
    }
    return bytes;
  }

  free(at: number, length: number): void {
    const list = this.#free.get(length);
    if (list) list.push(at);
    else this.#free.set(length, [at]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    if (this.#home !== null) await rm(this.#home, { recursive: true, force: true, maxRetries: 3 });
  }
}

function notWritable(folder: string, cause: unknown): AvocetError {
  return new AvocetError("output/not-writable", `expected room for activations in ${folder}`, {
    at: folder,
    hint: "free some space there, set TMPDIR to another disk, or use fewer samples",
    cause,
  });
}
