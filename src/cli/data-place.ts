/** Where data lies: two specifications of parts of the same data have the same place. */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { parseDataSpec } from "../data/inner-node.ts";

/** What a specification names, whichever part of it: links and relative paths resolved. */
export function placeOf(spec: string): string {
  const { path } = parseDataSpec(spec);
  if (path.startsWith("{")) return path;
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
