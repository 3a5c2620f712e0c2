/** Reads ONNX files from disk; external data stays there until a tensor is looked at. */
import { realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";
import { AvocetError, expectArguments } from "../../base/index.ts";
import type { Model } from "../../ir/index.ts";
import { fileSource, readStart, readWhole } from "../file-source-node.ts";
import { limits } from "../limits.ts";
import type { ExternalData } from "./context.ts";
import { readModel } from "./read.ts";
import { expectOnnx } from "./recognise.ts";

export interface FileReadOptions {
  /** Folder of the external data (default: the model's). Nothing outside it is ever opened. */
  readonly folder?: string;
}

const largeWeights = "keep large weights in external data";

/**
 * Throws unless a file begins as a model does, before all of it is read: `import/not-found`, `import/too-large`,
 * `import/unknown-format`, `import/truncated`.
 */
export function expectModelFile(path: string): void {
  expectOnnx(readStart(path, 4096, limits.onnxFileBytes, largeWeights), path);
}

/** Reads a model file; see `readModel` for what is thrown, and `import/not-found` when there is no such file. */
export function readModelFile(path: string, options: FileReadOptions = {}): Model {
  expectArguments("readModelFile(path)", { path: [path, "text"] });
  expectModelFile(path);
  const bytes = readWhole(path, limits.onnxFileBytes, largeWeights);
  return readModel(bytes, { name: path, external: externalIn(options.folder ?? dirname(path), basename(path)) });
}

/** Opens locations below a folder, and refuses every other. */
export function externalIn(folder: string, model: string): ExternalData {
  return (location) => {
    const refusal = (why: string) =>
      new AvocetError(
        "import/path-escape",
        `expected external data inside the model's folder, got ${JSON.stringify(location)}${why}`,
        {
          at: model,
          hint: "put the data beside the model, as a real file, and name it by a relative path",
        },
      );
    // A path that some other system would read as absolute or as leading out is refused here too.
    const parts = location.split(/[\\/]/);
    if (location.includes("\0") || isAbsolute(location) || /^([a-z]:|[\\/])/i.test(location) || parts.includes("..")) {
      throw refusal("");
    }
    const path = join(folder, location);
    let real: string;
    try {
      real = realpathSync(path);
    } catch (cause) {
      throw new AvocetError("import/not-found", `expected the external data ${path}, got nothing there`, {
        at: model,
        cause,
      });
    }
    const inside = relative(realpathSync(folder), real);
    if (inside === "" || inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
      throw refusal(`, which leads to ${real}`);
    }
    return fileSource(real);
  };
}
