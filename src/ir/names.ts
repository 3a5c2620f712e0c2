/** The names in use in a model: claims them, and makes new ones that nobody has. */
import { AvocetError } from "../base/inner.ts";

export class Names {
  readonly #taken = new Map<string, number>();
  /** hint → the least number that may be free, so that ten thousand nodes of one kind are not searched each time. */
  readonly #next = new Map<string, number>();

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

  /** Gives a value the name of a file, which a value of a sibling subgraph may have too. */
  adopt(value: { name: string }, name: string): void {
    this.release(value.name);
    value.name = this.share(name);
  }

  /** The hint, or the hint with a number behind it, that nobody has taken yet. */
  spare(hint: string): string {
    if (!this.#taken.has(hint)) return hint;
    for (let i = this.#next.get(hint) ?? 1; ; i++) {
      const name = `${hint}_${i}`;
      if (this.#taken.has(name)) continue;
      this.#next.set(hint, i);
      return name;
    }
  }

  /** Takes the hint, or the hint with a number behind it. */
  fresh(hint: string): string {
    return this.claim(this.spare(hint));
  }

  release(name: string): void {
    const count = this.#taken.get(name) ?? 0;
    if (count > 1) {
      this.#taken.set(name, count - 1);
      return;
    }
    this.#taken.delete(name);
    const [, hint, number] = /^(.*)_([0-9]+)$/s.exec(name) ?? [];
    const next = hint === undefined ? undefined : this.#next.get(hint);
    if (next !== undefined && Number(number) < next) this.#next.set(hint!, Number(number));
  }
}
