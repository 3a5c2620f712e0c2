/** External data of ONNX files on disk: it stays there until a tensor is looked at, and nothing outside its folder is opened. */
import { realpathSync } from "node:fs";
import { isAbsolute, join, relative, sep } from "node:path";
import { AvocetError } from "../../base/inner.ts";
import { fileSource } from "../file-source-node.ts";
import type { ExternalData } from "./context.ts";

/** Opens locations below a folder, and refuses every other. */
export function externalIn(folder: string, model: string): ExternalData {
  return (location) => {
    const refusal = (why: string) =>
      new AvocetError(
        "import/path-escape",
        `expected external data inside the model's folder, got ${JSON.stringify(location)}${why}`,
        {
          at: model,
          hint: "put the data next to the model, as a real file, and name it by a relative path",
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
