/** Signal-to-noise ratio of what was found next to what was wanted, in dB, in float64. Equal arrays give Infinity. */
export function signalToNoise(wanted: ArrayLike<number>, found: ArrayLike<number>): number {
  let [signal, noise] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    signal += wanted[i]! ** 2;
    noise += (wanted[i]! - found[i]!) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}
