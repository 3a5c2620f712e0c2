/** The bytes of a model by its name. */
import { platform } from "#platform";

/** All of it, its data inside: a path in Node, an address in a browser. Throws `runtime/load`, and what the disk says. */
export function modelBytes(path: string): Promise<Uint8Array> {
  return platform.modelBytes(path);
}
