/**
 * Whether numbers behave like the scores of a trained classifier. Without a Softmax nothing in the graph tells logits from an
 * embedding or from a regression; the numbers do: logits are decisive (their softmax has a clear winner), some are negative, and
 * not all samples have the same winner.
 */
import type { Tensor } from "../tensor/inner.ts";
import type { ScoreLayout } from "./classes.ts";

/** Decisions of a batch that are looked at: enough for a mean, and few where vocabularies are long. */
const most = 64;

export class Decisiveness {
  #sum = 0;
  #negative = 0;
  #seen = 0;
  #classes = 0;
  readonly #winners = new Set<number>();

  /** Scores of one batch with the winner of each decision, −1 where a score is NaN. */
  see(scores: Tensor, layout: ScoreLayout, winners: Int32Array): void {
    const { classes, inner } = layout;
    const data = scores.floats();
    this.#classes = classes;
    const step = Math.max(1, Math.floor(winners.length / most));
    for (let at = 0; at < winners.length; at += step) {
      const winner = winners[at]!;
      if (winner < 0) continue;
      const base = Math.floor(at / inner) * classes * inner + (at % inner);
      const best = data[base + winner * inner]!;
      let [total, lowest] = [0, 0];
      for (let c = 0; c < classes; c++) {
        const score = data[base + c * inner]!;
        total += Math.exp(score - best);
        lowest = Math.min(lowest, score);
      }
      this.#sum += 1 / total;
      if (lowest < 0) this.#negative++;
      this.#seen++;
      this.#winners.add(winner);
    }
  }

  holds(): boolean {
    if (this.#seen === 0) return false;
    // Three times what equal scores would give; trained classifiers are far above it, embeddings and coordinates at it.
    const wanted = Math.min(0.8, Math.max(0.25, 3 / this.#classes));
    const varied = this.#seen < 10 || this.#winners.size > 1;
    return varied && this.#sum / this.#seen >= wanted && this.#negative / this.#seen >= 0.5;
  }
}
