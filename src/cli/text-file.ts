/** Texts that commands read next to models and data: recipes, preprocessing, targets, plans, reports. */
import { AvocetError, jsonLimits, parseJson } from "../base/inner.ts";
import { disk, readBytes } from "../base/inner-node.ts";

/** A text. Throws `import/not-found` for what is no file that can be read, and `import/too-large`. */
export function readTextFile(path: string, most: number = jsonLimits.characters): string {
  try {
    const found = disk.stat(path);
    if (!found) throw new AvocetError("import/not-found", "expected a file, got nothing there", { at: path });
    if (!found.isFile()) {
      const what = found.isDirectory() ? "a folder" : "a device, a pipe or a socket";
      throw new AvocetError("import/not-found", `expected a file, got ${what}`, { at: path });
    }
    if (found.size > most) {
      throw new AvocetError("import/too-large", `expected a text of at most ${most} bytes, got ${found.size}`, {
        at: path,
      });
    }
    return Buffer.from(readBytes(path)).toString();
  } catch (cause) {
    if (AvocetError.is(cause)) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new AvocetError("import/not-found", `expected a file that can be read, got ${code ?? message}`, {
      at: path,
      cause,
    });
  }
}

/** A JSON document. Throws as `readTextFile` does, and `usage/bad-value` for what is no JSON. */
export function readJson(path: string): unknown {
  return parseJson(readTextFile(path), { at: path, code: "usage/bad-value" });
}
