/**
 * Flat shapes as signed distance functions: negative inside, positive outside, about 1 per unit of length, so that an
 * edge is antialiased by reading the distance. An object lives in the circle of radius 1, x to the right, y up.
 */
import { clamp, cosine, sine } from "./numbers.mjs";

/** @typedef {(x: number, y: number) => number} Shape */

/** @param {number} cx @param {number} cy @param {number} radius @returns {Shape} */
export function circle(cx, cy, radius) {
  return (x, y) => Math.sqrt((x - cx) * (x - cx) + (y - cy) * (y - cy)) - radius;
}

/**
 * An ellipse, turned by `turns`. The distance is the first-order estimate (value over gradient), good near the edge.
 * @param {number} cx @param {number} cy @param {number} rx @param {number} ry @param {number} [turns]
 * @returns {Shape}
 */
export function ellipse(cx, cy, rx, ry, turns = 0) {
  const c = cosine(turns);
  const s = sine(turns);
  return (x, y) => {
    const u = ((x - cx) * c + (y - cy) * s) / rx;
    const v = ((y - cy) * c - (x - cx) * s) / ry;
    const k = Math.sqrt(u * u + v * v);
    if (k < 1e-6) return -Math.min(rx, ry);
    const slope = Math.sqrt((u / rx) * (u / rx) + (v / ry) * (v / ry));
    return (k * (k - 1)) / slope;
  };
}

/**
 * A box with half sizes and rounded corners.
 * @param {number} cx @param {number} cy @param {number} hx @param {number} hy @param {number} [round]
 * @returns {Shape}
 */
export function box(cx, cy, hx, hy, round = 0) {
  return (x, y) => {
    const dx = Math.abs(x - cx) - hx + round;
    const dy = Math.abs(y - cy) - hy + round;
    const ox = Math.max(dx, 0);
    const oy = Math.max(dy, 0);
    return Math.sqrt(ox * ox + oy * oy) + Math.min(Math.max(dx, dy), 0) - round;
  };
}

/**
 * A line with round ends through points (x, y, x, y, …), `width` thick at the start and `end` at the end.
 * @param {readonly number[]} points @param {number} width @param {number} [end]
 * @returns {Shape}
 */
export function stroke(points, width, end = width) {
  const corners = Float64Array.from(points);
  const pieces = corners.length / 2 - 1;
  return (x, y) => {
    let best = Infinity;
    for (let i = 0; i < pieces; i++) {
      const ax = corners[2 * i];
      const ay = corners[2 * i + 1];
      const ex = corners[2 * i + 2] - ax;
      const ey = corners[2 * i + 3] - ay;
      const t = clamp(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey), 0, 1);
      const dx = x - ax - ex * t;
      const dy = y - ay - ey * t;
      const radius = (width + ((end - width) * (i + t)) / pieces) / 2;
      best = Math.min(best, Math.sqrt(dx * dx + dy * dy) - radius);
    }
    return best;
  };
}

/** A closed polygon of points x, y, x, y, … @param {readonly number[]} points @returns {Shape} */
export function polygon(points) {
  const corners = Float64Array.of(...points, points[0], points[1]);
  const edges = points.length / 2;
  return (x, y) => {
    let nearest = Infinity;
    let inside = false;
    for (let i = 0; i < edges; i++) {
      const ax = corners[2 * i];
      const ay = corners[2 * i + 1];
      const ex = corners[2 * i + 2] - ax;
      const ey = corners[2 * i + 3] - ay;
      const t = clamp(((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey), 0, 1);
      const dx = x - ax - ex * t;
      const dy = y - ay - ey * t;
      nearest = Math.min(nearest, dx * dx + dy * dy);
      // A ray to the right crosses the edge: once more inside or out.
      if (ay > y !== ay + ey > y && x < (ex * (y - ay)) / ey + ax) inside = !inside;
    }
    return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest);
  };
}

/** What any of the shapes covers. @param {...Shape} shapes @returns {Shape} */
export function union(...shapes) {
  return (x, y) => {
    let best = Infinity;
    for (const shape of shapes) best = Math.min(best, shape(x, y));
    return best;
  };
}

/** The first shape where the others are not. @param {Shape} shape @param {...Shape} holes @returns {Shape} */
export function without(shape, ...holes) {
  return (x, y) => {
    let d = shape(x, y);
    for (const hole of holes) d = Math.max(d, -hole(x, y));
    return d;
  };
}

/** What both shapes cover. @param {Shape} a @param {Shape} b @returns {Shape} */
export function overlap(a, b) {
  return (x, y) => Math.max(a(x, y), b(x, y));
}

/** A ring. @param {number} cx @param {number} cy @param {number} radius @param {number} width @returns {Shape} */
export function ring(cx, cy, radius, width) {
  const whole = circle(cx, cy, radius);
  return (x, y) => Math.abs(whole(x, y)) - width / 2;
}
