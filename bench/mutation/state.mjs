/** Which rows of the results still hold: whether a file has one, and whether its code is that of the run. */
import { createHash } from "node:crypto";
import { filesOf, groups } from "./groups.mjs";

/** A mark of a file's code: lines of comments, empty lines and indents are no code. */
export function codeOf(lines) {
  const code = lines.map((line) => line.trim()).filter((line) => line !== "" && !/^(\/\/|\/\*|\*)/.test(line));
  return createHash("sha256").update(code.join("\n")).digest("hex").slice(0, 12);
}

/** Of each group what has no row, and what has one of other code; `sources` are the lines of all files by path. */
export function stateOf(stored, sources) {
  return Object.fromEntries(
    Object.entries(groups).map(([group, globs]) => {
      const files = filesOf(globs, [...sources.keys()]);
      const missing = files.filter((file) => !stored[file]);
      const changed = files.filter((file) => stored[file] && stored[file].code !== codeOf(sources.get(file)));
      return [group, { files: files.length, missing, changed }];
    }),
  );
}
