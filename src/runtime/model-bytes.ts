/** The bytes of a model by its name. */

/** All of it, its data inside: a path in Node, an address in a browser. Throws `runtime/load`, and what the disk says. */
export async function modelBytes(path: string): Promise<Uint8Array> {
  const { platform } = await import("#platform");
  return await platform.modelBytes(path);
}
