/** From 8-bit pixels to a model's numbers: one table of 256 values per channel, in the layout of the input. */
import { AvocetError, roundHalfEven } from "../../base/inner.ts";
import { arrayKind, type DType, type Shape, Tensor, toFloat16Bits } from "../../tensor/inner.ts";
import type { Preprocess } from "../preprocess.ts";
import { channelsOf, valueMap } from "../preprocess-arithmetic.ts";
import type { Image } from "./image.ts";

type Numbers = Float32Array | Uint16Array | Uint8Array | Int8Array;

/** How a number is held in each dtype of preprocessing: float16 as its bits, integers rounded and saturated. */
export function encoderOf(dtype: Preprocess["dtype"]): (y: number) => number {
  const saturate = (low: number, high: number) => (y: number) => Math.min(high, Math.max(low, roundHalfEven(y)));
  if (dtype === "uint8") return saturate(0, 255);
  if (dtype === "int8") return saturate(-128, 127);
  return dtype === "float16" ? toFloat16Bits : (y) => y;
}

/** Writes prepared images, all of one size, into a batch. */
export class PixelBatch {
  readonly #tables: readonly Numbers[];
  readonly #preprocess: Preprocess;
  readonly #count: number;
  readonly #at: string;
  #size: readonly [number, number] | null = null;
  #data: Numbers | null = null;

  /** `at` is the data, for messages. */
  constructor(preprocess: Preprocess, tables: readonly Numbers[], count: number, at: string) {
    this.#preprocess = preprocess;
    this.#tables = tables;
    this.#count = count;
    this.#at = at;
  }

  /** The tables of every channel, in the order of the input. */
  static tables(preprocess: Preprocess): readonly Numbers[] {
    const encode = encoderOf(preprocess.dtype);
    return Array.from({ length: channelsOf(preprocess.color) }, (_, channel) => {
      const map = valueMap(preprocess, channel);
      const table = new (arrayKind(preprocess.dtype))(256) as Numbers;
      for (let x = 0; x < 256; x++) table[x] = encode(map(x));
      return table;
    });
  }

  /** Puts image number `row` in its place. Throws `data/wrong-shape` when its size differs from the first one's. */
  put(row: number, image: Image, name: string): void {
    const { width, height, channels, data } = image;
    const pixels = width * height;
    this.#size ??= [width, height];
    this.#data ??= new (arrayKind(this.#preprocess.dtype))(this.#count * pixels * channels) as Numbers;
    const [firstWidth, firstHeight] = this.#size;
    if (width !== firstWidth || height !== firstHeight) {
      throw new AvocetError(
        "data/wrong-shape",
        `expected images all of one size, got ${firstWidth} × ${firstHeight} and ${width} × ${height}`,
        { at: name, hint: 'add a "crop", an "exact" or a "letterbox" resize to the preprocessing' },
      );
    }
    const start = row * pixels * channels;
    const planar = this.#preprocess.layout === "nchw";
    const [stride, step] = planar ? [pixels, 1] : [1, channels];
    if (channels === 1) writeGray(this.#data, start, data, this.#tables[0]!);
    else writeColour(this.#data, start, stride, step, data, this.#tables, this.#preprocess.color === "bgr");
  }

  tensor(): Tensor {
    const { dtype, layout, color } = this.#preprocess;
    if (!(this.#size && this.#data))
      throw new AvocetError("data/none", "expected an image, got none", { at: this.#at });
    const [width, height] = this.#size;
    const channels = channelsOf(color);
    const sample: Shape = layout === "nchw" ? [channels, height, width] : [height, width, channels];
    return Tensor.of(dtype satisfies DType, [this.#count, ...sample], this.#data);
  }
}

function writeGray(out: Numbers, start: number, data: Uint8Array, table: Numbers): void {
  for (let i = 0; i < data.length; i++) out[start + i] = table[data[i]!]!;
}

/** `stride` lies between the channels of a pixel, `step` between pixels. */
function writeColour(
  out: Numbers,
  start: number,
  stride: number,
  step: number,
  data: Uint8Array,
  tables: readonly Numbers[],
  reversed: boolean,
): void {
  const [first, second, third] = tables as [Numbers, Numbers, Numbers];
  const [red, blue] = reversed ? [2, 0] : [0, 2];
  for (let i = 0, to = start; i < data.length; i += 3, to += step) {
    out[to] = first[data[i + red]!]!;
    out[to + stride] = second[data[i + 1]!]!;
    out[to + 2 * stride] = third[data[i + blue]!]!;
  }
}
