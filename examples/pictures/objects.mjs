/** The twelve things in the pictures: each draws itself from a random stream as painted parts, back to front. */
import { cosine, hsv, mix, sine } from "./numbers.mjs";
import { box, circle, ellipse, overlap, polygon, ring, stroke, union, without } from "./shapes.mjs";

/** @typedef {import("avocet").Random} Random */
/** @typedef {import("./numbers.mjs").Color} Color */
/** @typedef {{ shape: import("./shapes.mjs").Shape, color: Color }} Part one shape in one colour */
/** @typedef {(random: Random) => Part[]} Thing */

/**
 * A colour near a natural one; one time in four any hue at all, so that colour alone never decides the class.
 * @param {Random} random @param {number} hue @param {number} saturation @param {number} value
 */
function near(random, hue, saturation, value) {
  const anyHue = random.uniform() < 0.25;
  return hsv(
    anyHue ? random.uniform() : (hue + random.uniform(-0.05, 0.05) + 1) % 1,
    Math.min(1, saturation * random.uniform(0.6, 1.25)),
    Math.min(1, value * random.uniform(0.65, 1.2)),
  );
}

/** @param {Color} color @param {number} factor @returns {Color} */
function shade([r, g, b], factor) {
  return [Math.min(1, r * factor), Math.min(1, g * factor), Math.min(1, b * factor)];
}

/** @type {Thing} */
function avocet(random) {
  const white = near(random, 0.12, 0.08, 0.95);
  const black = near(random, 0.6, 0.3, 0.16);
  const reach = random.uniform(0.4, 0.56); // how high the head is carried
  const hx = random.uniform(0.36, 0.5);
  const stride = random.uniform(-0.12, 0.14);
  return [
    {
      shape: union(
        stroke([-0.06, -0.2, -0.08 - stride, -0.6, -0.1, -0.97], 0.07, 0.05),
        stroke([0.1, -0.2, 0.08 + stride, -0.6, 0.12, -0.97], 0.07, 0.05),
      ),
      color: near(random, 0.57, 0.35, 0.55),
    },
    {
      shape: union(
        ellipse(-0.1, 0, 0.5, 0.25, 0.03),
        polygon([-0.5, 0.08, -0.86, 0.02, -0.5, -0.12]),
        stroke([0.25, 0.04, 0.42, 0.24, hx, reach], 0.24, 0.16),
        circle(hx, reach, 0.13),
      ),
      color: white,
    },
    { shape: union(ellipse(-0.2, 0.06, 0.36, 0.07, 0.03), ellipse(-0.4, -0.08, 0.26, 0.06, 0.06)), color: black },
    {
      shape: union(
        ellipse(hx - 0.02, reach + 0.08, 0.13, 0.07),
        stroke([hx - 0.1, reach + 0.06, hx - 0.12, reach - 0.16], 0.09, 0.05),
      ),
      color: black,
    },
    {
      shape: stroke(
        [hx + 0.09, reach, hx + 0.28, reach - 0.06, hx + 0.42, reach - 0.03, hx + 0.54, reach + 0.09],
        0.07,
        0.03,
      ),
      color: black,
    },
  ];
}

/** @type {Thing} */
function duck(random) {
  const body = near(random, 0.13, 0.75, 0.95);
  const hx = random.uniform(0.3, 0.42);
  const hy = random.uniform(0.3, 0.45);
  return [
    {
      shape: stroke([hx + 0.16, hy, hx + 0.4, hy - 0.06], 0.18, 0.14),
      color: near(random, 0.07, 0.9, 0.9),
    },
    {
      shape: union(
        ellipse(-0.08, -0.3, 0.66, 0.38),
        polygon([-0.5, -0.3, -0.92, 0.12, -0.3, -0.05]),
        stroke([0.22, -0.2, hx, hy], 0.34, 0.3),
        circle(hx, hy, 0.24),
      ),
      color: body,
    },
    { shape: ellipse(-0.14, -0.28, 0.36, 0.19, 0.04), color: shade(body, random.uniform(0.65, 0.85)) },
    { shape: circle(hx + 0.08, hy + 0.07, 0.05), color: [0.06, 0.06, 0.08] },
  ];
}

/** @type {Thing} */
function fish(random) {
  const body = near(random, random.uniform(0.02, 0.6), 0.7, 0.85);
  const tall = random.uniform(0.28, 0.44);
  const whole = ellipse(0.1, 0, 0.64, tall);
  const stripes = random.integer(4);
  const bands = Array.from({ length: stripes }, (_, i) =>
    box(mix(-0.25, 0.3, stripes > 1 ? i / (stripes - 1) : 0.5), 0, 0.05, 1),
  );
  return [
    {
      shape: union(
        polygon([-0.4, 0, -0.92, 0.38, -0.76, 0, -0.92, -0.38]),
        polygon([-0.2, tall * 0.7, 0.1, tall + 0.24, 0.34, tall * 0.7]),
      ),
      color: shade(body, 0.72),
    },
    { shape: whole, color: body },
    ...bands.map((band) => ({ shape: overlap(whole, band), color: shade(body, 0.5) })),
    { shape: circle(0.48, 0.08, 0.085), color: [0.95, 0.95, 0.92] },
    { shape: circle(0.5, 0.08, 0.05), color: [0.05, 0.05, 0.07] },
  ];
}

/** @type {Thing} */
function butterfly(random) {
  const wing = near(random, random.uniform(), 0.75, 0.9);
  const spread = random.uniform(0.36, 0.5);
  const tilt = random.uniform(0.08, 0.15);
  /** @param {number} k */
  const pair = (k) =>
    union(
      ellipse(spread, 0.3, 0.46 * k, 0.32 * k, tilt),
      ellipse(-spread, 0.3, 0.46 * k, 0.32 * k, -tilt),
      ellipse(spread * 0.8, -0.34, 0.34 * k, 0.27 * k, -tilt),
      ellipse(-spread * 0.8, -0.34, 0.34 * k, 0.27 * k, tilt),
    );
  return [
    { shape: pair(1), color: shade(wing, 0.45) },
    { shape: pair(random.uniform(0.7, 0.85)), color: wing },
    {
      shape: union(circle(spread + 0.08, 0.34, 0.1), circle(-spread - 0.08, 0.34, 0.1)),
      color: near(random, 0.14, 0.5, 1),
    },
    {
      shape: union(
        stroke([0, 0.45, 0, -0.6], 0.16, 0.08),
        stroke([0, 0.4, 0.2, 0.85], 0.05),
        stroke([0, 0.4, -0.2, 0.85], 0.05),
      ),
      color: near(random, 0.08, 0.5, 0.2),
    },
  ];
}

/** @type {Thing} */
function flower(random) {
  const petals = 5 + random.integer(4);
  const phase = random.uniform();
  const long = random.uniform(0.26, 0.34);
  const heads = Array.from({ length: petals }, (_, i) => {
    const t = phase + i / petals;
    return ellipse(0.36 * cosine(t), 0.32 + 0.36 * sine(t), long, 1.05 / petals, t);
  });
  const green = near(random, 0.32, 0.7, 0.5);
  const side = random.uniform() < 0.5 ? 1 : -1;
  return [
    {
      shape: union(
        stroke([0, 0.3, 0.05 * side, -0.4, 0, -1], 0.1),
        ellipse(0.24 * side, -0.62, 0.26, 0.1, 0.09 * side),
      ),
      color: green,
    },
    { shape: union(...heads), color: near(random, random.uniform(0.75, 1.15) % 1, 0.6, 0.95) },
    { shape: circle(0, 0.32, random.uniform(0.15, 0.22)), color: near(random, 0.13, 0.85, 0.9) },
  ];
}

/** @type {Thing} */
function mushroom(random) {
  const cap = near(random, 0.01, 0.8, 0.8);
  const base = random.uniform(-0.08, 0.1);
  const dome = overlap(
    ellipse(0, base, random.uniform(0.68, 0.84), random.uniform(0.6, 0.82)),
    box(0, base + 0.98, 1, 1),
  );
  const dots = Array.from({ length: 2 + random.integer(4) }, () =>
    circle(random.uniform(-0.5, 0.5), base + random.uniform(0.12, 0.55), random.uniform(0.07, 0.13)),
  );
  return [
    {
      shape: stroke(
        [0, base, random.uniform(-0.08, 0.08), -0.85],
        random.uniform(0.26, 0.36),
        random.uniform(0.3, 0.46),
      ),
      color: near(random, 0.1, 0.22, 0.92),
    },
    { shape: dome, color: cap },
    { shape: overlap(dome, union(...dots)), color: near(random, 0.1, 0.1, 0.97) },
  ];
}

/** @type {Thing} */
function tree(random) {
  const crown = near(random, random.uniform(0.18, 0.36), 0.65, 0.55);
  const blobs = Array.from({ length: 4 + random.integer(3) }, (_, i) => {
    const t = i / 5 + random.uniform(-0.05, 0.05);
    return circle(0.36 * cosine(t), 0.3 + 0.3 * sine(t), random.uniform(0.26, 0.38));
  });
  return [
    {
      shape: union(stroke([0, 0.3, 0, -0.95], 0.16, 0.28), stroke([0, -0.25, 0.28, 0.15], 0.1)),
      color: near(random, 0.07, 0.6, 0.42),
    },
    { shape: union(circle(0, 0.3, 0.4), ...blobs), color: crown },
    {
      shape: circle(random.uniform(-0.2, 0.2), random.uniform(0.3, 0.5), random.uniform(0.14, 0.22)),
      color: shade(crown, 1.22),
    },
  ];
}

/** @type {Thing} */
function fir(random) {
  const green = near(random, 0.38, 0.6, 0.42);
  const tiers = 3 + random.integer(2);
  const wide = random.uniform(0.46, 0.66);
  return [
    { shape: box(0, -0.8, 0.09, 0.2), color: near(random, 0.07, 0.6, 0.38) },
    ...Array.from({ length: tiers }, (_, i) => {
      const low = mix(-0.68, 0.38, i / (tiers - 1));
      const half = mix(wide, wide * 0.5, i / (tiers - 1));
      return {
        shape: polygon([-half, low, half, low, 0, low + 0.6]),
        color: shade(green, 0.85 + 0.12 * i),
      };
    }),
  ];
}

/** @type {Thing} */
function house(random) {
  const wall = near(random, 0.09, 0.35, 0.85);
  const half = random.uniform(0.5, 0.66);
  const eaves = random.uniform(-0.06, 0.16);
  const door = random.uniform(-0.25, 0.25);
  const ridge = random.uniform(-0.15, 0.15);
  const other = door > 0 ? door - 0.36 : door + 0.36;
  return [
    { shape: box(random.uniform(0.2, 0.36), eaves + 0.42, 0.08, 0.26), color: near(random, 0.03, 0.5, 0.5) },
    { shape: box(0, (eaves - 0.82) / 2, half, (eaves + 0.82) / 2), color: wall },
    {
      shape: polygon([-half - 0.14, eaves, half + 0.14, eaves, ridge + 0.12, eaves + 0.62, ridge - 0.12, eaves + 0.62]),
      color: near(random, 0.02, 0.7, 0.6),
    },
    { shape: box(door, -0.56, 0.12, 0.26), color: near(random, 0.07, 0.6, 0.35) },
    { shape: box(other, -0.3, 0.13, 0.13), color: near(random, 0.56, 0.4, random.uniform() < 0.5 ? 0.95 : 0.4) },
  ];
}

/** @type {Thing} */
function boat(random) {
  const deck = random.uniform(-0.5, -0.36);
  const mast = random.uniform(-0.12, 0.12);
  const sail = near(random, random.uniform(), 0.25, 0.97);
  return [
    {
      shape: stroke([mast, deck, mast, 0.92], 0.07),
      color: near(random, 0.08, 0.5, 0.35),
    },
    {
      shape: polygon([mast + 0.07, deck + 0.14, mast + 0.07, 0.88, random.uniform(0.55, 0.8), deck + 0.16]),
      color: sail,
    },
    {
      shape: polygon([
        mast - 0.07,
        deck + 0.14,
        mast - 0.07,
        random.uniform(0.4, 0.74),
        random.uniform(-0.66, -0.4),
        deck + 0.16,
      ]),
      color: shade(sail, 0.85),
    },
    {
      shape: polygon([-0.86, deck + 0.04, 0.9, deck + 0.04, 0.6, -0.82, -0.58, -0.82]),
      color: near(random, random.uniform(), 0.65, 0.6),
    },
    { shape: box(0.02, deck - 0.06, 0.74, 0.04), color: near(random, 0.1, 0.2, 0.95) },
  ];
}

/** @type {Thing} */
function mug(random) {
  const clay = near(random, random.uniform(), 0.6, 0.85);
  const half = random.uniform(0.4, 0.5);
  const tall = random.uniform(0.48, 0.62);
  const body = box(-0.12, -0.1, half, tall, 0.12);
  return [
    {
      shape: overlap(ring(half - 0.1, -0.1, random.uniform(0.27, 0.34), 0.14), box(half + 0.8, -0.1, 0.95, 1)),
      color: shade(clay, 0.85),
    },
    { shape: body, color: clay },
    {
      shape: overlap(body, box(-0.12, random.uniform(-0.3, 0.05), 1, random.uniform(0.06, 0.16))),
      color: near(random, random.uniform(), 0.5, 0.9),
    },
    { shape: ellipse(-0.12, tall - 0.16, half - 0.06, 0.1), color: near(random, 0.07, 0.7, 0.3) },
  ];
}

/** @type {Thing} */
function key(random) {
  const metal = near(random, 0.12, 0.55, 0.8);
  const bow = random.uniform(0.26, 0.36);
  const teeth = Array.from({ length: 2 + random.integer(2) }, (_, i) =>
    box(0.8 - 0.19 * i, -0.16, 0.06, random.uniform(0.1, 0.2)),
  );
  const head = random.uniform() < 0.5 ? circle(-0.56, 0, bow) : box(-0.56, 0, bow, bow * 0.9, 0.14);
  return [
    {
      shape: union(without(head, circle(-0.58, 0, bow * 0.5)), stroke([-0.3, 0, 0.88, 0], 0.14), ...teeth),
      color: metal,
    },
    { shape: box(-0.16, 0, 0.05, 0.13), color: shade(metal, 0.75) },
  ];
}

/** Class names in label order; each is also the function that draws one. */
export const things = { avocet, boat, butterfly, duck, fir, fish, flower, house, key, mug, mushroom, tree };

/** @type {readonly string[]} */
export const classNames = Object.keys(things);
