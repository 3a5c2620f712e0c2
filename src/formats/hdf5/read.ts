/**
 * HDF5 as Keras and h5py write it: superblocks 0 to 3, object headers 1 and 2, groups as symbol tables or links, datasets whole or in
 * chunks behind deflate, shuffle and checksums, attributes that are texts. The rest is refused by name.
 */
import type { Tensor } from "../../tensor/inner.ts";
import { type Message, membersOf, messagesAt } from "./object.ts";
import { Space } from "./space.ts";
import { tensorOf, textsOf } from "./values.ts";

const signature = "\x89HDF\r\n\x1a\n";

export const isHdf5 = (start: Uint8Array): boolean => String.fromCharCode(...start.subarray(0, 8)) === signature;

/** A group or a dataset. */
export class H5Object {
  readonly #space: Space;
  readonly #messages: readonly Message[];
  readonly path: string;
  readonly #address: number;
  #members: ReadonlyMap<string, number> | undefined;

  constructor(space: Space, address: number, path: string) {
    this.#space = space;
    this.#address = address;
    this.#messages = messagesAt(space, address);
    this.path = path;
  }

  /** Whoever has the same number is the same object. */
  get address(): number {
    return this.#address;
  }

  /** Names of the members of a group, in alphabetical order; empty for a dataset. */
  get names(): readonly string[] {
    return [...this.#list().keys()];
  }

  #list(): ReadonlyMap<string, number> {
    this.#members ??= membersOf(this.#space, this.#messages) ?? new Map();
    return this.#members;
  }

  /** The object at a path from here, or undefined. */
  get(path: string): H5Object | undefined {
    let found: H5Object | undefined = this;
    for (const part of path.split("/")) {
      if (part === "" || !found) continue;
      const address: number | undefined = found.#list().get(part);
      found = address === undefined ? undefined : new H5Object(this.#space, address, `${found.path}/${part}`);
    }
    return found;
  }

  /** The tensor of a dataset; undefined for a group. */
  tensor(): Tensor | undefined {
    return tensorOf(this.#space, this.#messages, this.path);
  }

  /** Attributes that are texts or lists of texts. */
  texts(): ReadonlyMap<string, readonly string[]> {
    return textsOf(this.#space, this.#messages);
  }
}

/** The root of a file. Throws `import/malformed`, `import/truncated`, `import/too-large`, and `import/unsupported-type` for forms that are not read. */
export function readHdf5(bytes: Uint8Array, name: string): H5Object {
  const space = new Space(bytes, name);
  if (!isHdf5(bytes)) throw space.broken("expected an HDF5 file, got other first bytes");
  const head = space.at(8);
  const version = head.u8();
  if (version > 3) throw space.unsupported(`a superblock of version ${version}`);
  if (version >= 2) {
    const [offsets, lengths] = [head.u8(), head.u8()];
    expectWide(space, offsets, lengths);
    head.skip(1);
    space.base = head.u64();
    head.skip(16);
    return new H5Object(space, head.u64(), "");
  }
  head.skip(4);
  const [offsets, lengths] = [head.u8(), head.u8()];
  expectWide(space, offsets, lengths);
  head.skip(version === 0 ? 9 : 13);
  space.base = head.u64();
  // Free space, end of file, driver, and the name of the root.
  head.skip(32);
  return new H5Object(space, head.u64(), "");
}

function expectWide(space: Space, offsets: number, lengths: number): void {
  if (offsets !== 8 || lengths !== 8)
    throw space.unsupported(`addresses of ${offsets} and lengths of ${lengths} bytes`);
}
