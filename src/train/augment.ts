/** Simple augmentation of images, from a seed: what a batch becomes depends on the batch and the random stream alone. */
import { AvocetError, type Random } from "../base/inner.ts";
import { arrayKind, type Feeds, Tensor } from "../tensor/inner.ts";

/** Changes a batch. Shapes stay, as the graph of a step is built for them. */
export type Augment = (feeds: Feeds, random: Random) => Feeds;

/** One after the other, each with a random stream of its own. */
export function augmentAll(parts: readonly Augment[]): Augment {
  return (feeds, random) => parts.reduce((now, part, i) => part(now, random.fork(`part ${i}`)), feeds);
}

/** Mirrors every second image, by chance, left to right. Masks named here are mirrored with it. */
export function flip(...names: readonly string[]): Augment {
  return (feeds, random) => {
    const mirrored = Array.from({ length: samplesOf(feeds, names) }, () => random.uniform() < 0.5);
    return mapNamed(feeds, names, (tensor) => {
      const width = tensor.shape.at(-1)!;
      return movedImages(tensor, (sample, row, column) =>
        mirrored[sample] ? [row, width - 1 - column] : [row, column],
      );
    });
  };
}

export interface CropOptions {
  /** How far an image may move, in pixels, up, down, left and right. */
  readonly pad: number;
  /** What lies outside, by name: a number of the tensor's own scale. Default 0; for masks, the label that is ignored. */
  readonly outside?: Readonly<Record<string, number>>;
}

/** Pads images and cuts a window of the old size out, at a random place. Masks named here move with it. */
export function crop(names: readonly string[], { pad, outside = {} }: CropOptions): Augment {
  if (!(Number.isInteger(pad) && pad > 0)) {
    throw new AvocetError("usage/bad-value", `expected a padding of at least one pixel, got ${pad}`);
  }
  return (feeds, random) => {
    const shift = () => random.integer(2 * pad + 1) - pad;
    const shifts = Array.from({ length: samplesOf(feeds, names) }, () => [shift(), shift()] as const);
    return mapNamed(feeds, names, (tensor, name) =>
      movedImages(
        tensor,
        (sample, row, column) => [row + shifts[sample]![0], column + shifts[sample]![1]],
        outside[name],
      ),
    );
  };
}

/**
 * A batch [N, …, height, width] whose elements come from other positions of the same image; a place outside returns `fill`.
 */
function movedImages(
  tensor: Tensor,
  from: (sample: number, row: number, column: number) => readonly [number, number],
  fill = 0,
): Tensor {
  const { shape, dtype, data } = tensor;
  if (shape.length < 3 || !ArrayBuffer.isView(data)) {
    throw new AvocetError("data/wrong-shape", `expected images [N, …, height, width], got [${shape}]`);
  }
  const [height, width] = [shape.at(-2)!, shape.at(-1)!];
  const area = height * width;
  const planes = tensor.size / shape[0]! / area;
  // Elements are moved, never computed with, so the array of any type is treated alike.
  const source = data as Float32Array;
  const target = new (arrayKind(dtype))(tensor.size) as Float32Array;
  const outside = (dtype === "int64" || dtype === "uint64" ? BigInt(fill) : fill) as number;
  for (let sample = 0; sample < shape[0]!; sample++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const [r, c] = from(sample, row, column);
        const isInside = r >= 0 && r < height && c >= 0 && c < width;
        for (let plane = 0; plane < planes; plane++) {
          const first = (sample * planes + plane) * area;
          target[first + row * width + column] = isInside ? source[first + r * width + c]! : outside;
        }
      }
    }
  }
  return Tensor.of(dtype, shape, target);
}

function samplesOf(feeds: Feeds, names: readonly string[]): number {
  return feeds[names[0] ?? ""]?.shape[0] ?? 0;
}

function mapNamed(feeds: Feeds, names: readonly string[], change: (tensor: Tensor, name: string) => Tensor): Feeds {
  const changed = names.map((name) => {
    const tensor = feeds[name];
    if (tensor) return [name, change(tensor, name)] as const;
    throw new AvocetError("data/wrong-inputs", `expected ${name} in the batch, got ${Object.keys(feeds).join(", ")}`);
  });
  return { ...feeds, ...Object.fromEntries(changed) };
}
