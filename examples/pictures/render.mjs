/** Renders one picture from a seed: backdrop, clutter, the thing with its shadow, what stands in front, camera. */
import { Random } from "avocet";
import { clamp, cosine, hashed, hsv, mix, noise, sine, smoothstep } from "./numbers.mjs";
import { classNames, things } from "./objects.mjs";
import { ellipse, polygon, stroke } from "./shapes.mjs";

/** Pixels along a side. */
export const side = 48;

/** @typedef {import("./objects.mjs").Part} Part */
/** @typedef {import("./numbers.mjs").Color} Color */
/** @typedef {{ x: number, y: number, size: number, turns: number, flip: boolean, reach: number }} Place centre and unit length in pixels; reach in units */
/** @typedef {{ x: number, y: number, strength: number }} Light where it comes from, and how hard it is */

/**
 * A picture of a class: `side` × `side` pixels, red, green, blue, 0 … 255, rows from the top.
 * The same label and seed give the same bytes on every machine.
 * @param {number} label index into `classNames`
 * @param {number} seed
 * @returns {Uint8Array}
 */
export function renderPicture(label, seed) {
  const random = new Random(seed);
  const canvas = new Float64Array(side * side * 3);
  const from = random.uniform();
  const light = { x: cosine(from), y: sine(from), strength: random.uniform(0.15, 0.5) };
  paintBackdrop(canvas, random);
  for (let i = random.integer(4); i > 0; i--)
    paintThing(canvas, clutter(random), placeAnywhere(random, 2, 7), light, 0);
  if (random.uniform() < 0.5) paintThing(canvas, other(label, random), placeAtEdge(random), light, 0.3);
  const draw = Object.values(things)[label];
  paintThing(canvas, draw(random), placeInMiddle(random), light, random.uniform(0, 0.5));
  for (let i = 1 + random.integer(5); i > 0; i--)
    paintThing(canvas, clutter(random), placeAnywhere(random, 2, 8), light, 0.2);
  return takePhoto(canvas, random);
}

/** Things keep to the unit circle, their shadows go a little further. */
const thingReach = 1.25;

/** @param {Random} random @returns {Place} */
function placeInMiddle(random) {
  return {
    x: side / 2 + random.uniform(-7, 7),
    y: side / 2 + random.uniform(-7, 7),
    size: side * random.uniform(0.2, 0.44),
    turns: random.uniform(-0.14, 0.14),
    flip: random.uniform() < 0.5,
    reach: thingReach,
  };
}

/** @param {Random} random @returns {Place} */
function placeAtEdge(random) {
  const around = random.uniform();
  return {
    x: side / 2 + side * 0.55 * cosine(around),
    y: side / 2 + side * 0.55 * sine(around),
    size: side * random.uniform(0.14, 0.26),
    turns: random.uniform(-0.1, 0.1),
    flip: random.uniform() < 0.5,
    reach: thingReach,
  };
}

/** @param {Random} random @param {number} small @param {number} large @returns {Place} */
function placeAnywhere(random, small, large) {
  return {
    x: random.uniform(0, side),
    y: random.uniform(0, side),
    size: random.uniform(small, large),
    turns: random.uniform(),
    flip: false,
    reach: 2.5,
  };
}

/** A small thing of another class, which must not decide the label. @param {number} label @param {Random} random */
function other(label, random) {
  const step = 1 + random.integer(classNames.length - 1);
  const draw = Object.values(things)[(label + step) % classNames.length];
  return draw(random);
}

/** A pebble, a twig or a leaf. @param {Random} random @returns {Part[]} */
function clutter(random) {
  const color = hsv(random.uniform(), random.uniform(0.1, 0.8), random.uniform(0.2, 0.9));
  const kind = random.integer(3);
  if (kind === 0) return [{ shape: ellipse(0, 0, 0.9, random.uniform(0.4, 0.9)), color }];
  if (kind === 2) return [{ shape: polygon([-1, 0, 0, 0.45, 1.1, 0, 0, -0.45]), color }];
  const twig = [-2, 0, 0, random.uniform(-0.4, 0.4), 2.2, 0];
  return [{ shape: stroke(twig, random.uniform(0.2, 0.5), 0.15), color }];
}

/** Sky over ground, a plain wall, sand or grass, or planks. @param {Float64Array} canvas @param {Random} random */
function paintBackdrop(canvas, random) {
  const kind = random.integer(4);
  const hue = random.uniform();
  const a = hsv(hue, random.uniform(0.1, 0.6), random.uniform(0.35, 0.95));
  const b = hsv((hue + random.uniform(-0.2, 0.2) + 1) % 1, random.uniform(0.1, 0.7), random.uniform(0.25, 0.9));
  const turn = random.uniform();
  const horizon = random.uniform(0.35, 0.8);
  const grain = random.uniform(3, 9);
  const rough = random.uniform(0.05, 0.35);
  const seed = random.uint32();
  const c = cosine(turn);
  const s = sine(turn);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const u = (x + 0.5) / side;
      const v = (y + 0.5) / side;
      const along = (u - 0.5) * c + (v - 0.5) * s + 0.5;
      const bumps = noise(u * grain, v * grain, seed) * 0.65 + noise(u * grain * 3, v * grain * 3, seed + 1) * 0.35;
      let t = along;
      if (kind === 0) t = smoothstep(horizon - 0.02, horizon + 0.02, v + (bumps - 0.5) * 0.15) * 0.8 + v * 0.2;
      else if (kind === 2) t = bumps;
      else if (kind === 3) t = Math.floor(along * grain) % 2 === 0 ? 0.25 + 0.2 * bumps : 0.75;
      const lit = 1 + (bumps - 0.5) * rough;
      const at = (y * side + x) * 3;
      for (let k = 0; k < 3; k++) canvas[at + k] = mix(a[k], b[k], t) * lit;
    }
  }
}

const distances = new Float64Array(side * side);
const cover = new Float64Array(side * side);

/**
 * Paints parts back to front, antialiased, with a bevel lit from the light's side and a shadow on the far side.
 * @param {Float64Array} canvas @param {readonly Part[]} parts @param {Place} place @param {Light} light
 * @param {number} shadow how dark the shadow is, 0 … 1
 */
function paintThing(canvas, parts, place, light, shadow) {
  const reach = place.size * place.reach;
  const left = Math.max(0, Math.floor(place.x - reach));
  const right = Math.min(side - 1, Math.ceil(place.x + reach));
  const top = Math.max(0, Math.floor(place.y - reach));
  const bottom = Math.min(side - 1, Math.ceil(place.y + reach));
  const c = cosine(place.turns);
  const s = sine(place.turns);
  const mirror = place.flip ? -1 : 1;

  /** @param {import("./shapes.mjs").Shape} shape @param {number} dx @param {number} dy */
  const measure = (shape, dx, dy) => {
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const u = (x + 0.5 - place.x - dx) / place.size;
        const v = (place.y + dy - y - 0.5) / place.size;
        distances[y * side + x] = shape(mirror * (u * c + v * s), v * c - u * s) * place.size;
      }
    }
  };

  if (shadow > 0) {
    cover.fill(0);
    for (const part of parts) {
      measure(part.shape, -light.x * place.size * 0.2, -light.y * place.size * 0.2);
      for (let y = top; y <= bottom; y++) {
        for (let x = left; x <= right; x++) {
          const at = y * side + x;
          cover[at] = Math.max(cover[at], clamp(0.5 - distances[at] * 0.5, 0, 1));
        }
      }
    }
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const at = y * side + x;
        const dark = 1 - shadow * cover[at];
        for (let k = 0; k < 3; k++) canvas[at * 3 + k] *= dark;
      }
    }
  }

  const bevel = Math.max(1, place.size * 0.16);
  for (const part of parts) {
    measure(part.shape, 0, 0);
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const at = y * side + x;
        const d = distances[at];
        if (d > 0.5) continue;
        const opacity = Math.min(1, 0.5 - d);
        // The distance grows straight out of the shape: its slope is the direction a rounded edge faces.
        const sx = distances[x < right ? at + 1 : at] - distances[x > left ? at - 1 : at];
        const sy = distances[y < bottom ? at + side : at] - distances[y > top ? at - side : at];
        const round = 1 - clamp(-d / bevel, 0, 1);
        const lit = 1 + light.strength * round * 0.5 * (sx * light.x + sy * light.y);
        for (let k = 0; k < 3; k++) {
          canvas[at * 3 + k] = mix(canvas[at * 3 + k], part.color[k] * lit, opacity);
        }
      }
    }
  }
}

/** Exposure, colour cast, uneven light, soft focus and sensor noise; then bytes. @param {Float64Array} canvas @param {Random} random */
function takePhoto(canvas, random) {
  const exposure = random.uniform(0.6, 1.2);
  const contrast = random.uniform(0.45, 1.15);
  const cast = [random.uniform(0.88, 1.12), random.uniform(0.92, 1.08), random.uniform(0.86, 1.14)];
  const from = random.uniform();
  const uneven = random.uniform(0, 0.7);
  const c = cosine(from) * uneven;
  const s = sine(from) * uneven;
  const soft = random.uniform() < 0.3 ? random.uniform(0.3, 0.8) : 0;
  const grain = random.uniform(0.01, 0.08);
  const seed = random.uint32();
  const bytes = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const up = y > 0 ? -side * 3 : 0;
    const down = y < side - 1 ? side * 3 : 0;
    for (let x = 0; x < side; x++) {
      const before = x > 0 ? -3 : 0;
      const after = x < side - 1 ? 3 : 0;
      const lamp = exposure * (1 + ((x + 0.5) / side - 0.5) * c + ((y + 0.5) / side - 0.5) * s);
      for (let k = 0; k < 3; k++) {
        const at = (y * side + x) * 3 + k;
        let value = canvas[at];
        if (soft > 0) {
          const around = canvas[at + up] + canvas[at + down] + canvas[at + before] + canvas[at + after]; // biome-ignore format: one sum
          value = mix(value, around / 4, soft);
        }
        const exposed = (value * lamp * cast[k] - 0.45) * contrast + 0.45;
        const speckle = hashed(at, 1, seed) + hashed(at, 2, seed) + hashed(at, 3, seed) - 1.5; // deviation 1/2
        bytes[at] = Math.floor(clamp(exposed + 2 * grain * speckle, 0, 1) * 255 + 0.5);
      }
    }
  }
  return bytes;
}
