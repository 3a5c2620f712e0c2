/** The names in use in a model: claims them, and makes new ones that nobody has. */
import { AvocetError } from "../base/index.ts";

export class Names {
  readonly #taken = new Map<string, number>();

  has(name: string): boolean {
    return this.#taken.has(name);
  }

  /** Takes exactly this name. Throws `graph/name-taken`. */
  claim(name: string): string {
    if (this.#taken.has(name))
      throw new AvocetError("graph/name-taken", `expected a new name, ${name} is taken`, { at: name });
    this.#taken.set(name, 1);
    return name;
  }

  /** Takes this name although another value has it: sibling subgraphs of a file may repeat names. */
  share(name: string): string {
    this.#taken.set(name, (this.#taken.get(name) ?? 0) + 1);
    return name;
  }

  /** Takes the hint, or the hint with a number behind it. */
  fresh(hint: string): string {
    if (!this.#taken.has(hint)) return this.claim(hint);
    for (let i = 1; ; i++) {
      const name = `${hint}_${i}`;
      if (!this.#taken.has(name)) return this.claim(name);
    }
  }

  release(name: string): void {
    const count = this.#taken.get(name) ?? 0;
    if (count > 1) this.#taken.set(name, count - 1);
    else this.#taken.delete(name);
  }
}
