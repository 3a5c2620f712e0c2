/** Reasons of values without a quantizer that stand for the layer that computes them: reports of kernels repeat them. */

/** How the reason of a convolution begins that computes scores in float. */
export const givesScores = "it gives scores at one position";

/** How the reason of a convolution begins whose integers would be turned back at once. */
export const readInFloat = "its readers take float";

/** How the reason of a layer begins that reads magnitudes. */
export const readsSpectrum = "magnitudes of a spectrum";

/** Whether a layer with this reason computes in float from integer weights on purpose. */
export function isFloatOnPurpose(reason: string | undefined): reason is string {
  return [givesScores, readInFloat, readsSpectrum].some((start) => reason?.startsWith(start) === true);
}
