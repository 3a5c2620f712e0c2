/** Greedy decoding of connectionist temporal classification (Graves et al., 2006, section 3.2). */
import { AvocetError } from "../../base/inner.ts";
import type { Tensor } from "../../tensor/inner.ts";
import { argmaxClasses } from "../classes.ts";
import type { CtcDecoding } from "./decoding.ts";

/** The text of each of `size` samples, from scores of any kind whose order is that of probabilities. Throws `data/wrong-shape`. */
export function ctcTexts(scores: Tensor, size: number, { characters, blank, axes }: CtcDecoding): string[] {
  const letters = Array.isArray(characters) ? characters : [...characters];
  const [samples, steps, classes] = ["n", "t", "c"].map((axis) => axes.indexOf(axis)) as [number, number, number];
  const { shape } = scores;
  if (shape.length !== 3 || shape[samples] !== size || shape[classes] !== letters.length + 1) {
    throw new AvocetError(
      "data/wrong-shape",
      `expected scores of ${size} samples and ${letters.length + 1} classes in the order ${axes}, got [${shape.join(",")}]`,
      { hint: "--decode names one text less than there are classes: the blank has none" },
    );
  }
  const best = argmaxClasses(scores, {
    outer: shape.slice(0, classes).reduce((a, b) => a * b, 1),
    classes: shape[classes]!,
    inner: shape.slice(classes + 1).reduce((a, b) => a * b, 1),
  });
  const count = shape[steps]!;
  const letterOf = (c: number) => letters[c > blank ? c - 1 : c]!;
  return Array.from({ length: size }, (_, n) => {
    let text = "";
    let before = blank;
    for (let t = 0; t < count; t++) {
      const c = best[axes === "tnc" ? t * size + n : n * count + t]!;
      // A step of no numbers (−1) says nothing.
      if (c !== before && c !== blank && c >= 0) text += letterOf(c);
      before = c;
    }
    return text;
  });
}
