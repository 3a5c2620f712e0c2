/** Zip archives that models come in (.pt2, .pth, .keras): entries by name, read when they are asked for. */
import { readZip, type ZipEntry, type ZipRules, zipContent, zipDirectory } from "../base/inner-files.ts";
import { type ByteSource, bytesSource, rangeOf } from "./byte-source.ts";
import { limits } from "./limits.ts";

export class Archive {
  readonly #source: ByteSource;
  readonly #rules: ZipRules;
  readonly #entries: ReadonlyMap<string, ZipEntry>;

  /** Throws `import/malformed` and `import/too-large` for what is no archive, or a hostile one; entries are checked when they are read. */
  constructor(source: ByteSource) {
    this.#source = source;
    this.#rules = {
      name: source.name,
      size: source.size,
      what: "a zip archive",
      damaged: "import/malformed",
      tooLarge: "import/too-large",
      entries: { most: limits.archiveEntries, what: "files in an archive", hint: "save the model again" },
      inflated: { most: limits.inflatedBytes, hint: "save it without compression: then it is read by range" },
    };
    const entries = readZip(zipDirectory(this.#rules), this.#source.read);
    this.#entries = new Map(entries.map((entry) => [entry.name, entry]));
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** The bytes of a file in the archive, or undefined where there is none of that name. Throws `import/malformed` for damaged ones. */
  bytes(name: string): Uint8Array | undefined {
    const found = this.source(name);
    return found?.read(0, found.size);
  }

  /** A file in the archive by range: stored ones stay where they are. Undefined and throws as `bytes`. */
  source(name: string): ByteSource | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    const content = readZip(zipContent(this.#rules, entry), this.#source.read);
    if ("inflated" in content) return bytesSource(this.#source.name, content.inflated);
    return rangeOf(this.#source, content.start, content.size);
  }
}
