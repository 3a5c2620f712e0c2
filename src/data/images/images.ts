/** Datasets of images: read, decoded, prepared in 8 bits, and turned into a model's input, a batch at a time. */
import { AvocetError, throwIfAborted } from "../../base/inner.ts";
import type { ArrayRows } from "../array-rows.ts";
import { Kept } from "../cache.ts";
import type { IndexedDataset } from "../dataset.ts";
import { indexedDataset } from "../indexed.ts";
import type { Preprocess } from "../preprocess.ts";
import type { DecodeImage } from "./decode.ts";
import { prepare, preparedSize } from "./geometry.ts";
import type { Image } from "./image.ts";
import { PixelBatch } from "./pixels.ts";

export interface ImageSource {
  readonly count: number;
  /** For messages: where the images are. */
  readonly source: string;
  /** Whether all images have one size. Default false: nobody knows before they are read. */
  readonly uniform?: boolean;
  /** For messages: one image and its number. */
  name(index: number): string;
  /** Reads the (encoded) bytes of these images; each is decoded when its function is called. */
  load(indices: readonly number[]): Promise<readonly (() => Promise<Image>)[]>;
}

export interface ImageOptions {
  /** The model input that takes them. */
  readonly input: string;
  readonly preprocess: Preprocess;
  /** Bytes of prepared images (8 bits a channel) to keep in memory. Default 0. */
  readonly cacheBytes?: number;
}

/** Images as a dataset of one input. Reading throws `data/unreadable` with the image's name and number. */
export function imageDataset(source: ImageSource, options: ImageOptions): IndexedDataset {
  const { input, preprocess, cacheBytes = 0 } = options;
  const tables = PixelBatch.tables(preprocess);
  const kept = new Kept<Image>(cacheBytes);
  return indexedDataset({
    count: source.count,
    source: source.source,
    // Images that keep sizes of their own are read one by one; neighbours of one size run together.
    ...(!source.uniform && preparedSize(preprocess) === null && { most: 1 }),
    async read(indices, signal) {
      const batch = new PixelBatch(preprocess, tables, indices.length, source.source);
      const absent = indices.filter((index) => !kept.get(index));
      const decoders = absent.length > 0 ? await source.load(absent) : [];
      let next = 0;
      for (const [row, index] of indices.entries()) {
        throwIfAborted({ signal });
        const decode = absent[next] === index ? decoders[next++] : undefined;
        const image = decode ? prepare(await decode(), preprocess, source.name(index)) : kept.get(index)!;
        kept.offer(index, image.data.length, () => image);
        batch.put(row, image, source.name(index));
      }
      return { [input]: batch.tensor() };
    },
  });
}

/** Images in files of JPEG or PNG. */
export function encodedImages(
  files: {
    readonly count: number;
    readonly source: string;
    name(index: number): string;
    bytes(index: number): Promise<Uint8Array>;
  },
  decode: DecodeImage,
  turn: boolean,
): ImageSource {
  return {
    count: files.count,
    source: files.source,
    name: files.name,
    load: (indices) =>
      Promise.all(
        indices.map(async (index) => {
          const bytes = await files.bytes(index);
          return () => decode(bytes, files.name(index), turn);
        }),
      ),
  };
}

/**
 * Images in a uint8 array [N, height, width], [N, height, width, 1 or 3] or [N, 1 or 3, height, width]; null for any
 * other array.
 */
export function arrayImages(rows: ArrayRows): ImageSource | null {
  const form = imageForm(rows);
  if (!form) return null;
  const { height, width, channels, planar } = form;
  const size = height * width * channels;
  if (size === 0) {
    throw new AvocetError("data/wrong-shape", `expected images with pixels, got [${rows.shape.join(",")}]`, {
      at: rows.name,
    });
  }
  return {
    count: rows.shape[0]!,
    source: rows.name,
    uniform: true,
    name: (index) => `${rows.name}, sample ${index}`,
    async load(indices) {
      const all = (await rows.read(indices)).data as Uint8Array;
      return indices.map((_, i) => async () => {
        const stored = all.subarray(i * size, (i + 1) * size);
        return { width, height, channels, data: planar ? interleave(stored, channels) : stored };
      });
    },
  };
}

function imageForm({ dtype, shape }: ArrayRows) {
  const [, a = 0, b = 0, c = 1] = shape;
  const colour = (n: number): n is 1 | 3 => n === 1 || n === 3;
  if (dtype !== "uint8" || shape.length < 3 || shape.length > 4) return null;
  if (colour(c)) return { height: a, width: b, channels: c, planar: false } as const;
  return colour(a) ? ({ height: b, width: c, channels: a, planar: true } as const) : null;
}

function interleave(planes: Uint8Array, channels: number): Uint8Array {
  const pixels = planes.length / channels;
  const out = new Uint8Array(planes.length);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < pixels; i++) out[i * channels + c] = planes[c * pixels + i]!;
  }
  return out;
}
