/** How far the outputs of two sessions are apart: decibels for floating-point numbers, the share of equal elements for all else. */
import { isFloat, type Tensor } from "../tensor/inner.ts";

export class OutputDifference {
  #signal = 0;
  #noise = 0;
  #equal = 0;
  #seen = 0;
  #float = true;

  /** Outputs whose shapes differ (what is found depends on the data) have no equal elements. */
  see(a: Tensor, reference: Tensor): void {
    this.#float = isFloat(reference.dtype);
    const [left, right] = [elementsOf(a), elementsOf(reference)];
    this.#seen += Math.max(left.length, right.length);
    if (left.length !== right.length) {
      this.#noise = Number.NaN;
      return;
    }
    for (let i = 0; i < right.length; i++) {
      const [x, y] = [left[i]!, right[i]!];
      if (x === y) this.#equal++;
      if (!this.#float) continue;
      this.#signal += Number(y) ** 2;
      // Equal infinities are no noise.
      if (x !== y) this.#noise += (Number(x) - Number(y)) ** 2;
    }
  }

  /** In dB; Infinity when equal, NaN where either is not finite. Null for what holds no floating-point numbers. */
  sqnr(): number | null {
    if (!this.#float || this.#seen === 0) return null;
    return this.#noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(this.#signal / this.#noise);
  }

  /** The share of elements that are the same; null for floating-point numbers. */
  equal(): number | null {
    return this.#float || this.#seen === 0 ? null : this.#equal / this.#seen;
  }
}

function elementsOf(tensor: Tensor): ArrayLike<number | bigint | string> {
  if (isFloat(tensor.dtype)) return tensor.dtype === "float64" ? (tensor.data as Float64Array) : tensor.floats();
  return tensor.data as ArrayLike<number | bigint | string>;
}
