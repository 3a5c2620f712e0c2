/** Agreement of two models: the share of decisions (of samples, pixels, positions) on which both choose the same class. */
import type { Tensor } from "../tensor/inner.ts";
import { tiedPlaces } from "./classes.ts";
import { bootstrapInterval, type Interval, wilsonInterval } from "./confidence.ts";
import { type DecisionUnit, decisionLayout, decisionsOf } from "./decision-layout.ts";
import { Decisiveness } from "./decisiveness.ts";
import type { OutputMeaning } from "./output-meaning.ts";

/** Counts of one output. */
interface Count {
  readonly meaning: OutputMeaning;
  readonly decisive: Decisiveness;
  /** By sample: decisions that are the same, and decisions in all. */
  readonly rows: [same: number, seen: number][];
  /** Classes that the second model chose. */
  readonly chosen: Set<number>;
  unit: DecisionUnit | null;
  tied: number;
}

/** Compares outputs of two models batch by batch. Outputs that hold no classes are passed over. */
export class Agreement {
  readonly #meanings: ReadonlyMap<string, OutputMeaning>;
  readonly #counts = new Map<string, Count>();
  readonly #confirmedBy: Agreement;

  /** `confirmedBy` has seen a finer second model (the float one): coarse grids tie scores, and so hide what they are. */
  constructor(meanings: ReadonlyMap<string, OutputMeaning>, confirmedBy?: Agreement) {
    this.#meanings = meanings;
    this.#confirmedBy = confirmedBy ?? this;
  }

  /**
   * One output of one batch of `size` samples. Where its meaning is only likely, the numbers of `b` have to confirm it. NaN decides
   * nothing and agrees with nothing.
   */
  see(name: string, a: Tensor, b: Tensor, size: number): void {
    const meaning = this.#meanings.get(name);
    if (!meaning || meaning.kind === "numbers" || meaning.kind === "other" || !sameShape(a, b)) return;
    const found = decisionLayout(meaning, a.shape);
    if (!found) return;
    const { layout, unit } = found;
    const [left, right] = [decisionsOf(a, layout), decisionsOf(b, layout)];
    const per = left.length / size;
    if (!Number.isInteger(per)) return;
    const count = this.#countOf(name, meaning);
    count.unit = per > 1 && unit === "samples" ? "positions" : unit;
    if (layout && meaning.kind === "scores" && !meaning.sure) count.decisive.see(b, layout, right);
    for (const choice of right) if (choice >= 0) count.chosen.add(choice);
    for (let n = 0; n < size; n++) {
      let same = 0;
      for (let i = n * per; i < (n + 1) * per; i++) if (left[i] === right[i] && left[i]! >= 0) same++;
      count.rows.push([same, per]);
    }
    if (!layout) return;
    const [tiedLeft, tiedRight] = [tiedPlaces(a, layout, left), tiedPlaces(b, layout, right)];
    for (let i = 0; i < tiedLeft.length; i++) if (tiedLeft[i] || tiedRight[i]) count.tied++;
  }

  #countOf(name: string, meaning: OutputMeaning): Count {
    const found = this.#counts.get(name);
    if (found) return found;
    const made: Count = { meaning, decisive: new Decisiveness(), rows: [], chosen: new Set(), unit: null, tied: 0 };
    this.#counts.set(name, made);
    return made;
  }

  /** The outputs that turned out to hold classes. */
  #judged(): Count[] {
    return [...this.#counts].flatMap(([name, count]) =>
      count.rows.length > 0 && this.#confirmedBy.#isConfirmed(name) ? [count] : [],
    );
  }

  #isConfirmed(name: string): boolean {
    const count = this.#counts.get(name);
    return count !== undefined && (count.meaning.kind !== "scores" || count.meaning.sure || count.decisive.holds());
  }

  /** A fraction, or null when no output held classes. */
  value(): number | null {
    const rows = this.#judged().flatMap((count) => count.rows);
    return rows.length === 0 ? null : shareOf(rows.reduce((sum, row) => [sum[0] + row[0], sum[1] + row[1]], [0, 0]));
  }

  /** What was decided about; several outputs that differ in it decide about positions. */
  unit(): DecisionUnit | null {
    const units = new Set(this.#judged().map((count) => count.unit));
    return units.size === 0 ? null : units.size === 1 ? [...units][0]! : "positions";
  }

  /**
   * The interval that holds the share of all such data in 95 of 100 cases. Decisions of one sample are not independent: for pixels and
   * positions whole samples are drawn.
   */
  interval(): Interval | null {
    const judged = this.#judged();
    if (judged.length === 0) return null;
    const count = judged[0]!.rows.length;
    const rows = Array.from({ length: count }, (_, n) =>
      judged.reduce((sum, { rows }) => [sum[0]! + (rows[n]?.[0] ?? 0), sum[1]! + (rows[n]?.[1] ?? 0)], [0, 0]),
    );
    if (rows.every(([, seen]) => seen === 1)) return wilsonInterval(rows.filter(([same]) => same === 1).length, count);
    return bootstrapInterval(rows, (sums) => shareOf(sums));
  }

  /** The share of decisions where one of the two has several classes with its highest score; null like `value`. */
  ties(): number | null {
    const judged = this.#judged().filter(({ meaning }) => meaning.kind === "scores");
    if (judged.length === 0) return null;
    const seen = judged.reduce((sum, { rows }) => sum + rows.reduce((all, [, n]) => all + n, 0), 0);
    return judged.reduce((sum, { tied }) => sum + tied, 0) / seen;
  }

  /** How many classes the second model chose; with one, agreement says nothing. Null without decisions. */
  choices(): number | null {
    const judged = this.#judged();
    return judged.length === 0 ? null : Math.max(...judged.map(({ chosen }) => chosen.size));
  }

  /** Why there is no share, output by output; empty where there is one. */
  why(): string[] {
    if (this.#judged().length > 0) return [];
    return [...this.#meanings].map(([name, meaning]) => {
      const count = this.#counts.get(name);
      if (meaning.kind === "numbers" || meaning.kind === "other") return `${name}: ${meaning.why}`;
      if (count && count.rows.length > 0) {
        return `${name}: no Softmax ends it, and its numbers do not decide like scores of classes`;
      }
      const unsaid = meaning.kind === "scores" && !meaning.sure;
      return unsaid
        ? `${name}: no Softmax ends it, and nobody says which axis holds classes`
        : `${name}: its shape has no axis of classes`;
    });
  }
}

const shareOf = ([same = 0, seen = 0]: ArrayLike<number> & Iterable<number>): number => same / Math.max(seen, 1);

function sameShape(a: Tensor, b: Tensor): boolean {
  return a.shape.length === b.shape.length && a.shape.every((length, i) => length === b.shape[i]);
}
