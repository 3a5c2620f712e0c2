/** What the system says when it does not let a file be written, as an `AvocetError` that says what to do. */
import { AvocetError } from "./errors.ts";

/** For cleaning up, which must not hide the error before it. */
export function quietly<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

/** Turns what the system says into `output/not-writable`. */
export function writable<T>(place: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw notWritable(place, cause);
  }
}

export function notWritable(place: string, cause: unknown): AvocetError {
  if (AvocetError.is(cause)) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new AvocetError(
    "output/not-writable",
    `expected a place that can be written, got ${code ? `${code} (${reasons[code] ?? message})` : message}`,
    {
      at: place,
      hint: full ? "free some space there, or write to another disk" : "choose a place where you may write",
      cause,
    },
  );
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the quota is used up",
  EACCES: "no right to write there",
  EPERM: "no right to write there",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "the folder is not there, and cannot be made",
  ENOTDIR: "something on the way is no folder",
  EIO: "the disk has a fault",
  EBUSY: "something else uses it",
};

/** Something is at a place where nothing, or something else, was at the start. */
export function appeared(place: string): AvocetError {
  return new AvocetError(
    "output/exists",
    "expected the place as it was at the start, something appeared there meanwhile",
    {
      at: place,
      hint: "what appeared is untouched: move it away, or choose another output",
    },
  );
}
