/**
 * Resizing as Pillow does it (libImaging/Resample.c): a horizontal and a vertical pass, each a weighted sum over the
 * filter's support, which grows when the image shrinks (antialiasing); weights in 22-bit fixed point, and the result
 * of each pass rounded to 8 bits. The same numbers, not nearly.
 */

import type { ResizeFilter } from "../preprocess.ts";
import type { Image } from "./image.ts";

const precision = 32 - 8 - 2;

interface Kernel {
  readonly support: number;
  readonly at: (x: number) => number;
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

const kernels: { readonly [F in Exclude<ResizeFilter, "nearest">]: Kernel } = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, at: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI))) },
  bicubic: { support: 2, at: cubic },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Keys' cubic with a = −0.5. */
function cubic(signed: number): number {
  const x = Math.abs(signed);
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** The image at another size. */
export function resize(image: Image, width: number, height: number, filter: ResizeFilter): Image {
  if (filter === "nearest") return nearest(image, width, height);
  const kernel = kernels[filter];
  const wide = width === image.width ? image : passAcross(image, width, kernel);
  return height === wide.height ? wide : passDown(wide, height, kernel);
}

interface Weights {
  /** First input sample of each output sample. */
  readonly first: Int32Array;
  /** How many input samples each output sample has. */
  readonly count: Int32Array;
  /** `size` fixed-point weights for each output sample. */
  readonly weights: Int32Array;
  readonly size: number;
}

function weightsOf(from: number, to: number, kernel: Kernel): Weights {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const support = kernel.support * stretch;
  const size = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * size);
  const row = new Float64Array(size);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const high = Math.min(from, Math.trunc(centre + support + 0.5));
    let sum = 0;
    for (let x = low; x < high; x++) {
      const weight = kernel.at((x - centre + 0.5) / stretch);
      row[x - low] = weight;
      sum += weight;
    }
    for (let x = 0; x < high - low; x++) {
      const weight = (sum === 0 ? row[x]! : row[x]! / sum) * 2 ** precision;
      weights[i * size + x] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[i] = low;
    count[i] = high - low;
  }
  return { first, count, weights, size };
}

function passAcross(image: Image, width: number, kernel: Kernel): Image {
  const { height, channels, data } = image;
  const { first, count, weights, size } = weightsOf(image.width, width, kernel);
  const out = new Uint8ClampedArray(width * height * channels);
  const half = 1 << (precision - 1);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += channels) {
      let from = (y * image.width + first[x]!) * channels;
      let [a, b, c] = [half, half, half];
      const end = x * size + count[x]!;
      if (channels === 1) {
        for (let k = x * size; k < end; k++) a += data[from++]! * weights[k]!;
      } else {
        // Three sums at once: this loop is where resizing spends its time.
        for (let k = x * size; k < end; k++, from += 3) {
          const weight = weights[k]!;
          a += data[from]! * weight;
          b += data[from + 1]! * weight;
          c += data[from + 2]! * weight;
        }
        out[to + 1] = b >> precision;
        out[to + 2] = c >> precision;
      }
      out[to] = a >> precision;
    }
  }
  return { width, height, channels, data: new Uint8Array(out.buffer) };
}

function passDown(image: Image, height: number, kernel: Kernel): Image {
  const { width, channels, data } = image;
  const { first, count, weights, size } = weightsOf(image.height, height, kernel);
  const stride = width * channels;
  const out = new Uint8ClampedArray(stride * height);
  const sums = new Int32Array(stride);
  for (let y = 0; y < height; y++) {
    sums.fill(1 << (precision - 1));
    for (let k = 0; k < count[y]!; k++) {
      const weight = weights[y * size + k]!;
      const from = (first[y]! + k) * stride;
      for (let x = 0; x < stride; x++) sums[x] = sums[x]! + data[from + x]! * weight;
    }
    for (let x = 0; x < stride; x++) out[y * stride + x] = sums[x]! >> precision;
  }
  return { width, height, channels, data: new Uint8Array(out.buffer) };
}

/** The input sample of each output sample; Pillow adds up the step, which rounds differently from multiplying. */
function nearestIndex(from: number, to: number): Int32Array {
  const step = from / to;
  const index = new Int32Array(to);
  for (let i = 0, x = step * 0.5; i < to; i++, x += step) index[i] = Math.min(from - 1, Math.trunc(x));
  return index;
}

function nearest(image: Image, width: number, height: number): Image {
  const { channels, data } = image;
  const columns = nearestIndex(image.width, width);
  const rows = nearestIndex(image.height, height);
  const out = new Uint8Array(width * height * channels);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (rows[y]! * image.width + columns[x]!) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c]!;
    }
  }
  return { width, height, channels, data: out };
}
