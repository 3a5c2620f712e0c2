/** Files read by calls of the one door: whole, or in pieces of which none is kept. */
import { createHash } from "node:crypto";
import { disk } from "./disk-node.ts";

/** All bytes of a regular file, or of its first `most` ones. Throws the system's errors, and `EINVAL` for what is no regular file. */
export function readBytes(path: string, most = Number.POSITIVE_INFINITY): Uint8Array {
  const fd = disk.open(path);
  try {
    const found = disk.fstat(fd);
    if (!found.isFile()) throw Object.assign(new Error("not a regular file"), { code: "EINVAL" });
    const bytes = new Uint8Array(Math.min(found.size, most));
    let done = 0;
    while (done < bytes.length) {
      const got = disk.read(fd, bytes, done, done);
      if (got === 0) break;
      done += got;
    }
    return bytes.subarray(0, done);
  } finally {
    disk.close(fd);
  }
}

/** SHA-256 of a file, in hexadecimal. Throws the system's errors. */
export function sha256OfFile(path: string): string {
  const hash = createHash("sha256");
  const fd = disk.open(path);
  try {
    const chunk = new Uint8Array(4 << 20);
    for (let length = 1; length > 0; ) {
      length = disk.read(fd, chunk, 0, null);
      hash.update(chunk.subarray(0, length));
    }
  } finally {
    disk.close(fd);
  }
  return hash.digest("hex");
}
