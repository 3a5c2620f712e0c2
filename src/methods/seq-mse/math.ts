/**
 * Sequential MSE (AIMET's SeqMSE): every slice of a weight tries shrunken ranges, (min, max)·k/C for k = 1 … C, and
 * takes the one whose output error is least. Which slice took what, as plain numbers.
 */

/** The fractions k/C. */
export function fractions(candidates: number): number[] {
  return Array.from({ length: candidates }, (_, i) => (i + 1) / candidates);
}

/** For each slice the index of the candidate with the least error; the first of equal ones. `errors[candidate][slice]`. */
export function leastError(errors: readonly ArrayLike<number>[]): Int32Array {
  const best = new Int32Array(errors[0]?.length ?? 0);
  for (let slice = 0; slice < best.length; slice++) {
    for (let c = 1; c < errors.length; c++) {
      if (errors[c]![slice]! < errors[best[slice]!]![slice]!) best[slice] = c;
    }
  }
  return best;
}

/** Sums the errors of rows that share a slice. */
export function sumRows(rows: ArrayLike<number>, sliceOfRow: ArrayLike<number>, slices: number): Float64Array {
  const sums = new Float64Array(slices);
  for (let row = 0; row < rows.length; row++) sums[sliceOfRow[row]!]! += rows[row]!;
  return sums;
}
