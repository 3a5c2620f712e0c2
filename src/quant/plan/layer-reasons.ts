/** Reasons of values without a quantizer that stand for the layer that computes them: reports of kernels repeat them. */

/** How the reason of a convolution begins that computes scores in float. */
export const givesScores = "it gives scores at one position";

/** How the reason of a convolution begins whose integers would be turned back at once. */
export const readInFloat = "its readers take float";
