/**
 * Sequential MSE (AIMET's SeqMSE): every slice of a weight tries shrunken ranges, (min, max)·k/C for k = 1 … C, and
 * takes the one whose output error is least. Which slice took what, as plain numbers.
 */

/** The fractions k/C. */
export function fractions(candidates: number): number[] {
  return Array.from({ length: candidates }, (_, i) => (i + 1) / candidates);
}
