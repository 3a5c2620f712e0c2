/** Where a model's output holds its classes: the argmax of scores, sample by sample or pixel by pixel. */
import { AvocetError } from "../base/inner.ts";
import type { Tensor } from "../tensor/inner.ts";

/** Scores as `outer × classes × inner`: [N, C] has inner 1, [N, C, H, W] has inner H·W, [N, H, W, C] has inner 1. */
export interface ScoreLayout {
  readonly outer: number;
  readonly classes: number;
  readonly inner: number;
}

/**
 * Reads the layout off a shape. [N, C] and [N, C, …] have classes on axis 1; with `places` (pixels per sample) given,
 * [N, …, C] is recognised where the axes between hold exactly that many. Throws `data/wrong-shape`.
 */
export function scoreLayout(shape: readonly number[], places?: number): ScoreLayout {
  const [outer = 0, ...rest] = shape;
  const size = rest.reduce((a, b) => a * b, 1);
  const first = rest[0] ?? 0;
  const last = rest.at(-1) ?? 0;
  if (rest.length === 0)
    throw new AvocetError("data/wrong-shape", `expected scores [N, classes, …], got [${shape.join(",")}]`);
  if (places !== undefined && size / first !== places && size / last === places) {
    return { outer: (outer * size) / last, classes: last, inner: 1 };
  }
  return { outer, classes: first, inner: size / first };
}

/** Positions whose highest score belongs to several classes, 1 each: argmax decides there by the order of classes alone. */
export function tiedPlaces(scores: Tensor, layout: ScoreLayout, winners: Int32Array): Uint8Array {
  const { outer, classes, inner } = layout;
  const data = scores.floats();
  const tied = new Uint8Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const winner = winners[o * inner + i]!;
      const base = o * classes * inner + i;
      const best = data[base + winner * inner];
      // The first of equal scores won, so that others can only come after it.
      for (let c = winner + 1; winner >= 0 && c < classes; c++)
        if (data[base + c * inner] === best) tied[o * inner + i] = 1;
    }
  }
  return tied;
}

/** The winning class of every place, `outer × inner` of them; the first of equal scores wins, −1 where a score is NaN. */
export function argmaxClasses(scores: Tensor, layout: ScoreLayout): Int32Array {
  const { outer, classes, inner } = layout;
  const data = scores.floats();
  const found = new Int32Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const base = o * classes * inner + i;
      let best = 0;
      let score = data[base]!;
      for (let c = 0; c < classes; c++) {
        const candidate = data[base + c * inner]!;
        if (candidate > score) {
          score = candidate;
          best = c;
        } else if (Number.isNaN(candidate)) {
          best = -1;
          break;
        }
      }
      found[o * inner + i] = best;
    }
  }
  return found;
}
