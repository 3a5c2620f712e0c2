/** Names of what Avocet keeps next to an output while it works: `.NAME.avocet-WHAT`. */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";

/** Bytes of a file name on every common file system. */
const longestName = 255;
/** Room for the longest of our endings, a token included. */
const endings = 110;

/** The path next to `target` that is kept for `what`. Long names are hashed, so that theirs are not too long. */
export function hiddenBeside(target: string, what: string): string {
  const name = basename(target);
  const fits = Buffer.byteLength(name) + endings <= longestName;
  const short = fits ? name : createHash("sha256").update(name).digest("hex").slice(0, 32);
  return join(dirname(target), `.${short}.avocet-${what}`);
}
