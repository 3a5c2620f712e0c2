/**
 * Which channels of a graph belong together: a residual addition adds the channels of two layers one by one, a Concat puts them next
 * to each other, a depthwise convolution passes them on. Each index along the channel axis of a value is an atom; what an operator needs
 * to go together becomes one.
 */

/** The channels of a value: which axis they lie along, and the atom of each index. */
export interface Channels {
  readonly axis: number;
  readonly atoms: Int32Array;
}

/** Atoms in classes; a class may be fixed, with the reason why its channels must stay. */
export class ChannelSpace {
  readonly #parent: number[] = [];
  readonly #fixed = new Map<number, string>();

  /** New atoms, each alone. */
  make(count: number): Int32Array {
    const first = this.#parent.length;
    for (let i = 0; i < count; i++) this.#parent.push(first + i);
    return Int32Array.from({ length: count }, (_, i) => first + i);
  }

  /** The class of an atom: one atom that stands for all of it. */
  find(atom: number): number {
    let root = atom;
    while (this.#parent[root] !== root) root = this.#parent[root]!;
    for (let at = atom; at !== root; ) [at, this.#parent[at]] = [this.#parent[at]!, root];
    return root;
  }

  /** Both go, or none. */
  join(a: number, b: number): void {
    const [x, y] = [this.find(a), this.find(b)];
    if (x === y) return;
    this.#parent[y] = x;
    const reason = this.#fixed.get(x) ?? this.#fixed.get(y);
    if (reason !== undefined) this.#fixed.set(x, reason);
  }

  /** Index by index. */
  joinAll(a: Int32Array, b: Int32Array): void {
    for (let i = 0; i < a.length; i++) this.join(a[i]!, b[i]!);
  }

  /** Channels that must stay. The first reason is kept. */
  fix(atoms: Iterable<number>, reason: string): void {
    for (const atom of atoms) {
      const root = this.find(atom);
      if (!this.#fixed.has(root)) this.#fixed.set(root, reason);
    }
  }

  /** Why the channel must stay; undefined where it may go. */
  reason(atom: number): string | undefined {
    return this.#fixed.get(this.find(atom));
  }
}
