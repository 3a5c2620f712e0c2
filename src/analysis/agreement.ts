/** Agreement of two models: the share of samples (or pixels) on which both choose the same class. */
import type { Tensor } from "../tensor/index.ts";
import { argmaxClasses, scoreLayout, tiedPlaces } from "./classes.ts";

export class Agreement {
  #same = 0;
  #seen = 0;
  #tied = 0;

  /** Compares scores of one batch; outputs without classes (one score a sample) are passed over. NaN decides nothing and agrees with nothing. */
  see(a: Tensor, b: Tensor): void {
    if (a.shape.length < 2) return;
    const layout = scoreLayout(a.shape);
    if (layout.classes < 2) return;
    const left = argmaxClasses(a, layout);
    const right = argmaxClasses(b, layout);
    for (let i = 0; i < left.length; i++) if (left[i] === right[i] && left[i]! >= 0) this.#same++;
    this.#seen += left.length;
    const [tiedLeft, tiedRight] = [tiedPlaces(a, layout, left), tiedPlaces(b, layout, right)];
    for (let i = 0; i < tiedLeft.length; i++) if (tiedLeft[i] || tiedRight[i]) this.#tied++;
  }

  /** The share of places where one of the two has several classes with its highest score; null like `value`. */
  ties(): number | null {
    return this.#seen === 0 ? null : this.#tied / this.#seen;
  }

  /** A fraction, or null when no output had classes. */
  value(): number | null {
    return this.#seen === 0 ? null : this.#same / this.#seen;
  }
}
