/**
 * Scales of few significant bits, so that what is simulated is what ships to the last bit. A float product of dequantized
 * numbers is the integer accumulator times s_x · s_w, and float32 holds it exactly as long as the significant bits of the
 * accumulator and of s_x · s_w are 24 together; then every order of adding returns the same number. With scales of 24 bits each
 * every sum is rounded, and where it comes to lie next to a tie the quantizer behind it decides otherwise than integer arithmetic.
 * Measured on MobileNetV1-0.25 (docs/onnx-runtime.md).
 */

/** By this share a scale may grow to become short: its noise grows by a quarter of a decibel at most. */
const reach = 1 / 32;
/** Rounding errors may grow by this share of the least. */
const tolerance = 1.05;
const allBits = 24;
/** Each bit doubles the candidates, and weights that lie on their grid exactly have none that is as good. */
const mostTried = 10;

/** The number of the fewest significant bits in [scale, scale · 33/32]. */
export function shortScale(scale: number): number {
  for (let bits = 1; bits < allBits; bits++) {
    const found = multipleAbove(scale, bits);
    if (found <= scale * (1 + reach)) return found;
  }
  return scale;
}

/** The number of the fewest significant bits in [scale · 31/32, scale]. */
export function shortScaleBelow(scale: number): number {
  for (let bits = 1; bits < allBits; bits++) {
    const unit = unitOf(scale, bits);
    const found = Math.floor(scale / unit) * unit;
    if (found >= scale * (1 - reach)) return found;
  }
  return scale;
}

/** How much smaller a coarse scale may be: on 8 bits a range of −1 … 1 or 0 … 6 loses its last step, where 2/255 becomes 2^-7. */
const lastStep = 1 / 200;

/** The least of the numbers 2^k and 3 · 2^k that is not below the scale, but for a step at the end of the range. */
export function coarseScale(scale: number): number {
  const least = scale * (1 - lastStep);
  const power = 2 ** Math.ceil(Math.log2(least));
  return power * 0.75 >= least ? power * 0.75 : power;
}

/** The multiple of three of the fewest significant bits in [scale, scale · 33/32]: for weights. */
export function shortWeightScale(scale: number): number {
  return 3 * shortScale(scale / 3);
}

/**
 * The multiple of three of the fewest significant bits near `scale` under which the error is at most a twentieth above that of `scale`:
 * within a sixth of it, or (`atLeast`) from it to a 32nd above. `errorOf` may stop counting beyond `enough`.
 */
export function shortestScale(
  scale: number,
  errorOf: (scale: number, enough: number) => number,
  atLeast = false,
): number {
  return 3 * shortest(scale / 3, (third, enough) => errorOf(3 * third, enough), atLeast);
}

function shortest(scale: number, errorOf: (scale: number, enough: number) => number, atLeast: boolean): number {
  const [from, to] = atLeast ? [scale, scale * (1 + reach)] : [scale * (1 - around), scale * (1 + around)];
  const enough = errorOf(scale, Number.POSITIVE_INFINITY) * tolerance;
  for (let bits = 1; bits <= mostTried; bits++) {
    let best = scale;
    let least = Number.POSITIVE_INFINITY;
    for (let next = multipleAbove(from, bits); next <= to; next += unitOf(next, bits)) {
      const error = errorOf(next, Math.min(least, enough));
      if (error < least) [best, least] = [next, error];
    }
    if (least <= enough) return best;
  }
  return scale;
}

/** How far from the best scale another one may be nearly as good. */
const around = 1 / 6;

/** The exponent of the lowest significant bit: a scale is an odd multiple of 2 to this. */
export function lowestBit(scale: number): number {
  let exponent = Math.floor(Math.log2(scale)) + 1;
  while (!Number.isInteger(scale / 2 ** exponent)) exponent--;
  return exponent;
}

/**
 * The number of the fewest significant bits in [scale · 15/16, scale · 9/8] (`below`: not above the scale) whose lowest bit is at
 * `exponent` or beneath: the layer that reads a sum multiplies by it, so that each bit counts. Where it would need all bits of a
 * float32, the scale as it is.
 */
export function shortScaleFrom(scale: number, exponent: number, below = false): number {
  const top = Math.floor(Math.log2(scale)) + 1;
  for (let lowest = Math.min(exponent, top); top - lowest < allBits; lowest--) {
    const unit = 2 ** lowest;
    // Odd multiples of the unit: the lowest bit of an even one is higher.
    const half = (scale / unit - 1) / 2;
    const found = (2 * (below ? Math.floor(half) : Math.round(half)) + 1) * unit;
    if (found >= scale * (1 - 2 * reach) && found <= scale * (1 + 4 * reach)) return found;
  }
  return scale;
}

function unitOf(scale: number, bits: number): number {
  return 2 ** (Math.floor(Math.log2(scale)) - bits + 1);
}

function multipleAbove(scale: number, bits: number): number {
  const unit = unitOf(scale, bits);
  return Math.ceil(scale / unit) * unit;
}
