/**
 * The one door to the disk. Everything that Avocet writes, renames and removes, and what it reads next to ONNX Runtime, goes
 * through here, so that a test can let any single call fail, or end the world at it.
 */
import * as fs from "node:fs";

/** One call of the system: its name, the path it is about, and what it does. */
export type DiskInterceptor = <T>(call: keyof typeof disk, path: string, act: () => T) => T;

let interceptor: DiskInterceptor | undefined;

/** Lets every call pass through `by` until it is disposed of. For tests. */
export function interceptDisk(by: DiskInterceptor): Disposable {
  interceptor = by;
  return {
    [Symbol.dispose]() {
      interceptor = undefined;
    },
  };
}

/** Paths of open files, for messages and interceptors. */
const opened = new Map<number, string>();

function through<T>(call: keyof typeof disk, path: string, act: () => T): T {
  return interceptor ? interceptor(call, path, act) : act();
}

/** Node refuses single reads and writes of 2 GiB and more. */
const oneTransfer = 2 ** 30;

/** The calls, as the system has them; each throws the system's own error with its `code`. */
export const disk = {
  /** What is there, links not followed; null for nothing. */
  lstat: (path: string): fs.Stats | null => through("lstat", path, () => orNull(() => fs.lstatSync(path))),
  /** What is there, links followed; null for nothing. */
  stat: (path: string): fs.Stats | null => through("stat", path, () => orNull(() => fs.statSync(path))),
  realpath: (path: string): string => through("realpath", path, () => fs.realpathSync(path)),
  list: (folder: string): string[] => through("list", folder, () => fs.readdirSync(folder)),
  mkdir: (path: string): void => through("mkdir", path, () => fs.mkdirSync(path)),
  rmdir: (path: string): void => through("rmdir", path, () => fs.rmdirSync(path)),
  rename: (from: string, to: string): void => through("rename", to, () => fs.renameSync(from, to)),
  link: (from: string, to: string): void => through("link", to, () => fs.linkSync(from, to)),
  unlink: (path: string): void => through("unlink", path, () => fs.unlinkSync(path)),
  /** Opens for reading, without waiting: a pipe may have no writer for ever. */
  open: (path: string): number =>
    through("open", path, () => {
      const { O_RDONLY, O_NONBLOCK = 0 } = fs.constants;
      const fd = fs.openSync(path, O_RDONLY | O_NONBLOCK);
      opened.set(fd, path);
      return fd;
    }),
  /** Makes a new file and opens it for writing. */
  create: (path: string): number =>
    through("create", path, () => {
      const fd = fs.openSync(path, "wx");
      opened.set(fd, path);
      return fd;
    }),
  fstat: (fd: number): fs.Stats => through("fstat", pathOf(fd), () => fs.fstatSync(fd)),
  /** Bytes that were read; 0 at the end of the file. */
  read: (fd: number, into: Uint8Array, offset: number, at: number | null): number =>
    through("read", pathOf(fd), () =>
      fs.readSync(fd, into, offset, Math.min(oneTransfer, into.length - offset), at === null ? null : at),
    ),
  /** A part of a file, read next to other work. Fewer bytes at its end. */
  readAsync: (path: string, at: number, length: number): Promise<Uint8Array> =>
    through("readAsync", path, async () => {
      const { O_RDONLY, O_NONBLOCK = 0 } = fs.constants;
      const file = await fs.promises.open(path, O_RDONLY | O_NONBLOCK);
      try {
        const bytes = new Uint8Array(length);
        let done = 0;
        for (let got = 1; got > 0 && done < length; done += got) {
          got = (await file.read(bytes, done, Math.min(oneTransfer, length - done), at + done)).bytesRead;
        }
        return bytes.subarray(0, done);
      } finally {
        await file.close();
      }
    }),
  /** Writes all of the bytes, at a place of the file or behind what was written last. */
  write: (fd: number, bytes: Uint8Array, at?: number): void =>
    through("write", pathOf(fd), () => {
      for (let done = 0; done < bytes.length; ) {
        const place = at === undefined ? null : at + done;
        done += fs.writeSync(fd, bytes, done, Math.min(oneTransfer, bytes.length - done), place);
      }
    }),
  fsync: (fd: number): void => through("fsync", pathOf(fd), () => fs.fsyncSync(fd)),
  close: (fd: number): void => {
    const path = pathOf(fd);
    // The number is free from here on, whatever closing says.
    opened.delete(fd);
    through("close", path, () => fs.closeSync(fd));
  },
};

function pathOf(fd: number): string {
  return opened.get(fd) ?? `file ${fd}`;
}

function orNull<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
}
