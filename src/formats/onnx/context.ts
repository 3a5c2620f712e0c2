/** What reading one model carries along: the file's name, its external data, and the count of nodes. */
import { AvocetError, type ErrorCode } from "../../base/inner.ts";
import type { ByteSource } from "../byte-source.ts";
import { limits } from "../limits.ts";

/** Finds external data by the location that a tensor names. Throws `import/path-escape` or `import/not-found`. */
export type ExternalData = (location: string) => ByteSource;

export class Reading {
  readonly file: string;
  readonly #external: ExternalData | undefined;
  readonly #sources = new Map<string, ByteSource>();
  #parts = 0;

  constructor(file: string, external: ExternalData | undefined) {
    this.file = file;
    this.#external = external;
  }

  error(code: ErrorCode, problem: string, where?: string, hint?: string): AvocetError {
    return new AvocetError(code, problem, {
      at: where ? `${this.file}: ${where}` : this.file,
      ...(hint ? { hint } : {}),
    });
  }

  /** External data, looked up once per location. */
  source(location: string, where: string): ByteSource {
    const known = this.#sources.get(location);
    if (known) return known;
    if (!this.#external) {
      throw this.error(
        "import/not-found",
        `expected the external data ${JSON.stringify(location)}, got the model's bytes alone`,
        where,
        "read the model with its folder, or pass its external data",
      );
    }
    const source = this.#external(location);
    this.#sources.set(location, source);
    return source;
  }

  /** Counts nodes, inputs and outputs as they are linked. */
  count(parts: number): void {
    this.#parts += parts;
    if (this.#parts <= limits.graphParts) return;
    throw this.error("import/too-large", `expected at most ${limits.graphParts} nodes, inputs and outputs, got more`);
  }
}
