/** Sets of channels that must share one scale, as a union-find. Group 0 is the fixed one: its scale is 1. */
export const fixed = 0;

export class Groups {
  readonly #parent: number[] = [fixed];

  /** That many new groups, each of its own. */
  make(count: number): Int32Array {
    const first = this.#parent.length;
    for (let i = 0; i < count; i++) this.#parent.push(first + i);
    return Int32Array.from({ length: count }, (_, i) => first + i);
  }

  /** The group that stands for all that are joined with this one: the oldest, so that the fixed one stays 0. */
  root(id: number): number {
    let at = id;
    while (this.#parent[at] !== at) {
      this.#parent[at] = this.#parent[this.#parent[at]!]!;
      at = this.#parent[at]!;
    }
    return at;
  }

  join(a: number, b: number): void {
    const [x, y] = [this.root(a), this.root(b)];
    this.#parent[Math.max(x, y)] = Math.min(x, y);
  }

  fix(ids: Iterable<number>): void {
    for (const id of ids) this.join(id, fixed);
  }

  get count(): number {
    return this.#parent.length;
  }
}
