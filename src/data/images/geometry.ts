/** Orient, color, resize and crop: the part of preprocessing that stays in 8 bits. */
import { AvocetError, roundHalfEven } from "../../base/inner.ts";
import type { Preprocess } from "../preprocess.ts";
import { type Image, toGray, toRgb } from "./image.ts";
import { resize } from "./resample.ts";

type Box = number | readonly [number, number];
const sidesOf = (box: Box): readonly [number, number] => (typeof box === "number" ? [box, box] : box);

/** The width and height that every prepared image has, or null where that depends on the image. */
export function preparedSize(preprocess: Preprocess): readonly [number, number] | null {
  const { resize: how, crop } = preprocess;
  if (crop !== undefined) return sidesOf(crop);
  if (how && "exact" in how) return sidesOf(how.exact);
  return how && "letterbox" in how ? sidesOf(how.letterbox) : null;
}

/** The image in the colour (rgb or gray; bgr is an order, made later), size and crop of the preprocessing. */
export function prepare(image: Image, preprocess: Preprocess, name: string): Image {
  const { resize: how, crop: box, color } = preprocess;
  let prepared = color === "gray" ? toGray(image) : toRgb(image);
  if (how && "exact" in how) prepared = resize(prepared, ...sidesOf(how.exact), how.filter);
  else if (how && "short" in how) prepared = resize(prepared, ...shortSide(image, how.short), how.filter);
  else if (how) prepared = letterbox(prepared, sidesOf(how.letterbox), how.fill, how.filter);
  return box === undefined ? prepared : centreCrop(prepared, sidesOf(box), name);
}

/** As torchvision: the longer side is cut down to a whole number. */
function shortSide({ width, height }: Image, short: number): readonly [number, number] {
  if (width <= height) return [short, Math.trunc((short * height) / width)];
  return [Math.trunc((short * width) / height), short];
}

/** As torchvision: half of what is too much goes first, rounded half to even. */
function centreCrop(image: Image, [width, height]: readonly [number, number], name: string): Image {
  if (width > image.width || height > image.height) {
    throw new AvocetError(
      "data/wrong-shape",
      `expected an image of at least ${width} × ${height} to crop, got ${image.width} × ${image.height}`,
      { at: name, hint: 'resize first, for example "resize": {"short": 256}' },
    );
  }
  if (width === image.width && height === image.height) return image;
  const left = roundHalfEven((image.width - width) / 2);
  const top = roundHalfEven((image.height - height) / 2);
  const { channels, data } = image;
  const out = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * channels;
    out.set(data.subarray(from, from + width * channels), y * width * channels);
  }
  return { width, height, channels, data: out };
}

/** As Pillow's ImageOps.pad. */
function letterbox(
  image: Image,
  [width, height]: readonly [number, number],
  fill: number,
  filter: Parameters<typeof resize>[3],
): Image {
  const ratio = image.width / image.height;
  let [w, h] = [width, height];
  if (ratio > width / height) h = Math.max(1, roundHalfEven((image.height / image.width) * width));
  else if (ratio < width / height) w = Math.max(1, roundHalfEven((image.width / image.height) * height));
  const inner = resize(image, w, h, filter);
  if (w === width && h === height) return inner;
  const { channels } = image;
  const left = roundHalfEven((width - w) / 2);
  const top = roundHalfEven((height - h) / 2);
  const out = new Uint8Array(width * height * channels).fill(fill);
  for (let y = 0; y < h; y++) {
    out.set(inner.data.subarray(y * w * channels, (y + 1) * w * channels), ((top + y) * width + left) * channels);
  }
  return { width, height, channels, data: out };
}
