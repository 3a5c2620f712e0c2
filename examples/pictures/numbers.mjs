/**
 * The few functions of numbers that the renderer needs. Only + − × ÷, floor and square root are used, which every
 * JavaScript engine rounds alike: a seed returns the same pixels everywhere, which Math.sin and Math.cos do not promise.
 */

/** @param {number} x @param {number} low @param {number} high */
export function clamp(x, low, high) {
  return Math.max(low, Math.min(high, x));
}

/** @param {number} a @param {number} b @param {number} t  0 returns a, 1 returns b */
export function mix(a, b, t) {
  return a + (b - a) * t;
}

/** A soft step from 0 at `low` to 1 at `high`. @param {number} low @param {number} high @param {number} x */
export function smoothstep(low, high, x) {
  const t = clamp((x - low) / (high - low), 0, 1);
  return t * t * (3 - 2 * t);
}

/** Sine of an angle in turns (1 is a full circle), within 4e-6: a degree-9 odd polynomial on a quarter turn. @param {number} turns */
export function sine(turns) {
  let t = turns - Math.floor(turns + 0.5);
  if (t > 0.25) t = 0.5 - t;
  if (t < -0.25) t = -0.5 - t;
  const x = t * 6.283185307179586;
  const s = x * x;
  return x * (1 + s * (-1 / 6 + s * (1 / 120 + s * (-1 / 5040 + s * (1 / 362880)))));
}

/** Cosine of an angle in turns. @param {number} turns */
export function cosine(turns) {
  return sine(turns + 0.25);
}

/** A number in [0, 1) that belongs to a whole-numbered place. @param {number} x @param {number} y @param {number} seed */
export function hashed(x, y, seed) {
  let h = Math.imul(x | 0, 0x27d4eb2d) ^ Math.imul(y | 0, 0x165667b1) ^ Math.imul(seed | 0, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

/** Smooth noise in [0, 1): hashed corners, blended. @param {number} x @param {number} y @param {number} seed */
export function noise(x, y, seed) {
  const i = Math.floor(x);
  const j = Math.floor(y);
  const u = smoothstep(0, 1, x - i);
  const v = smoothstep(0, 1, y - j);
  const top = mix(hashed(i, j, seed), hashed(i + 1, j, seed), u);
  const bottom = mix(hashed(i, j + 1, seed), hashed(i + 1, j + 1, seed), u);
  return mix(top, bottom, v);
}

/** @typedef {readonly [number, number, number]} Color red, green, blue in 0 … 1 */

/**
 * A colour from hue (in turns), saturation and value.
 * @param {number} hue @param {number} saturation @param {number} value
 * @returns {Color}
 */
export function hsv(hue, saturation, value) {
  /** @param {number} shift */
  const channel = (shift) => {
    const k = (shift + hue * 6) % 6;
    return value - value * saturation * Math.max(0, Math.min(k, 4 - k, 1));
  };
  return [channel(5), channel(3), channel(1)];
}
