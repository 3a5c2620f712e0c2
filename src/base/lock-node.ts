/**
 * One run at a time for one output: a file next to it, `.NAME.avocet-lock`, that only one run can make. It names its owner, so
 * that the next run takes over from one that was killed, and its time is renewed, which tells those who cannot ask for the
 * owner (in another container, or on another machine) that somebody is at work.
 */
import { disk } from "./disk-node.ts";
import { AvocetError } from "./errors.ts";
import { hiddenBeside } from "./hidden-name-node.ts";
import { notWritable, quietly, writable } from "./not-writable-node.ts";
import { dropToken, isGone, takeToken } from "./owner-node.ts";

export interface Lock extends Disposable {
  /** Throws `output/busy` when another run has taken over. */
  expectHeld(): void;
}

/** Milliseconds between renewals. */
const renewal = 20_000;
/** Fifteen renewals missed: heavy work holds the program up for minutes at most. */
const patience = 300_000;

/**
 * Takes the lock of an output. Throws `output/busy` when a living run has it, also after `wait` milliseconds (default 0), and
 * `output/not-writable`.
 */
export function lockBeside(target: string, wait = 0): Lock {
  const token = takeToken();
  const path = hiddenBeside(target, "lock");
  let fd: number | undefined;
  const release = () => {
    clearInterval(timer);
    if (fd !== undefined) {
      if (quietly(() => ownerOf(path)?.token) === token) quietly(() => disk.unlink(path));
      quietly(() => disk.close(fd!));
    }
    dropToken(token);
  };
  let timer: NodeJS.Timeout | undefined;
  try {
    fd = acquireWithin(wait, target, path, token);
  } catch (error) {
    release();
    throw error;
  }
  // A write renews the time by the clock of the file system, which is the clock that others compare with.
  timer = setInterval(() => quietly(() => disk.write(fd!, Buffer.from(token), 0)), renewal);
  timer.unref();
  return {
    expectHeld() {
      const owner = ownerOf(path);
      if (owner?.token === token) return;
      if (owner) throw busy(target, path, owner.token);
      // Somebody removed it, as the hint of the error allows: it is taken again unless another run was faster.
      quietly(() => disk.close(fd!));
      fd = acquire(target, path, token);
    },
    [Symbol.dispose]: release,
  };
}

/** Waits without letting go of the program: what holds such a lock is renaming files. */
function acquireWithin(wait: number, target: string, path: string, token: string): number {
  for (const end = performance.now() + wait; ; ) {
    try {
      return acquire(target, path, token);
    } catch (error) {
      if (!AvocetError.is(error) || error.code !== "output/busy" || performance.now() >= end) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

/** Makes the lock, and returns the file that renews it. */
function acquire(target: string, path: string, token: string): number {
  const made = `${path}-${token}`;
  const fd = writable(target, () => disk.create(made));
  try {
    writable(target, () => disk.write(fd, Buffer.from(token), 0));
    for (let attempt = 0; attempt < 8; attempt++) {
      // A link makes the file with its content in one step.
      if (linked(target, made, path)) return fd;
      const owner = ownerOf(path);
      if (owner === null) continue;
      const now = writable(target, () => disk.fstat(fd)).mtimeMs;
      if (!isGone(owner.token, now - owner.renewed, patience)) throw busy(target, path, owner.token);
      takeAway(path, `${made}.old`, owner.token);
    }
    throw busy(target, path, "others");
  } catch (error) {
    quietly(() => disk.close(fd));
    throw error;
  } finally {
    quietly(() => disk.unlink(made));
  }
}

/** Removes the lock of an output whose owner is gone. Failing does no harm. */
export function sweepLock(target: string): void {
  const path = hiddenBeside(target, "lock");
  quietly(() => {
    const owner = ownerOf(path);
    if (owner && isGone(owner.token, Date.now() - owner.renewed, patience))
      takeAway(path, `${path}-${owner.token}.old`, owner.token);
  });
}

function linked(target: string, made: string, path: string): boolean {
  try {
    disk.link(made, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(code ?? "")) throw notWritable(target, error);
    // No links on this file system: the name is taken first and filled at once.
    if (writable(target, () => disk.lstat(path))) return false;
    writable(target, () => disk.rename(made, path));
    return true;
  }
}

/** Removes the lock of a run that is gone; when another run did so meanwhile and took it, its lock is put back. */
function takeAway(path: string, aside: string, token: string): void {
  quietly(() => disk.rename(path, aside));
  const taken = ownerOf(aside);
  if (taken && taken.token !== token) quietly(() => disk.link(aside, path));
  quietly(() => disk.unlink(aside));
}

interface Owner {
  readonly token: string;
  /** Milliseconds, by the clock of the file system. */
  readonly renewed: number;
}

function ownerOf(path: string): Owner | null {
  if (writable(path, () => disk.lstat(path)) === null) return null;
  try {
    const fd = disk.open(path);
    try {
      const bytes = new Uint8Array(200);
      const length = disk.read(fd, bytes, 0, 0);
      return { token: Buffer.from(bytes.subarray(0, length)).toString(), renewed: disk.fstat(fd).mtimeMs };
    } finally {
      disk.close(fd);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw notWritable(path, error);
  }
}

function busy(target: string, lock: string, owner: string): AvocetError {
  return new AvocetError("output/busy", `expected an output of its own, process ${owner.split(".")[0]} is writing it`, {
    at: target,
    hint: `wait for that run or choose another output; where no such run is (it was on another machine), remove ${lock}`,
  });
}
