/** Which of several candidates has the least error, slice by slice, as plain numbers. */

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
