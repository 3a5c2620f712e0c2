/** The objects of each image: the class of each and the box around it. */
import { AvocetError } from "../base/inner.ts";

/** Corners in shares of width and height of the image, from its upper left. */
export interface Box {
  readonly class: number;
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
  /** A crowd, or something too hard: finding it is neither right nor wrong. */
  readonly ignore?: boolean | undefined;
}

export interface BoxLabels {
  readonly kind: "boxes";
  readonly count: number;
  readonly source?: string;
  readonly names?: readonly string[];
  /** The objects of sample `index`. */
  at(index: number): readonly Box[];
  /** Width and height of the image in pixels, where they are known. Letterboxed images need them. */
  imageSize?(index: number): readonly [width: number, height: number] | null;
}

interface ImageBoxes {
  readonly boxes: readonly Box[];
  readonly size: readonly [number, number] | null;
}

/**
 * Boxes of JSON: COCO's annotations (images in the order of their file names), or for each image `[[class, x1, y1, x2, y2], …]`, bare or
 * as `boxes` of the index of a pack. null for other JSON. Throws `data/labels`.
 */
export function parseBoxes(json: unknown, source: string): BoxLabels | null {
  const found = cocoImages(json, source) ?? listedImages(json, source);
  if (!found) return null;
  const { images, names } = found;
  if (images.length === 0) throw new AvocetError("data/none", "expected at least one image, got none", { at: source });
  const at = (index: number) => {
    const image = images[index];
    if (image) return image;
    throw new AvocetError("data/labels", `expected boxes for sample ${index}, there are ${images.length} images`, {
      at: source,
      hint: "data and labels must be of the same samples",
    });
  };
  return {
    kind: "boxes",
    count: images.length,
    source,
    at: (index) => at(index).boxes,
    imageSize: (index) => at(index).size,
    ...(names && { names }),
  };
}

type Found = { readonly images: readonly ImageBoxes[]; readonly names?: readonly string[] };

function listedImages(json: unknown, source: string): Found | null {
  const list = Array.isArray(json) ? json : (json as { images?: unknown } | null)?.images;
  if (!Array.isArray(list)) return null;
  const boxesOf = (entry: unknown) => (Array.isArray(entry) ? entry : (entry as { boxes?: unknown } | null)?.boxes);
  if (!list.some((entry) => Array.isArray(boxesOf(entry)))) return null;
  const images = list.map((entry, i): ImageBoxes => {
    const boxes = boxesOf(entry);
    if (!Array.isArray(boxes)) throw fault(source, i, "a list of boxes", entry);
    return { boxes: boxes.map((box) => boxOf(box, source, i)), size: sizeOf(entry) };
  });
  return { images };
}

function boxOf(given: unknown, source: string, image: number): Box {
  const numbers = Array.isArray(given) ? given : [];
  const [label, x1, y1, x2, y2] = numbers as number[];
  const isBox = numbers.length === 5 && numbers.every(Number.isFinite) && Number.isInteger(label) && label! >= 0;
  // Annotations drawn by hand leave the image by a rounding; pixels instead of shares leave it by far.
  const inside = isBox && [x1!, y1!, x2!, y2!].every((x) => x >= -0.01 && x <= 1.01) && x1! <= x2! && y1! <= y2!;
  if (!inside) throw fault(source, image, "[class, x1, y1, x2, y2] in shares of the image", given);
  return { class: label!, x1: x1!, y1: y1!, x2: x2!, y2: y2! };
}

function sizeOf(entry: unknown): readonly [number, number] | null {
  const { width, height } = (entry ?? {}) as { width?: unknown; height?: unknown };
  const known = [width, height].every((side) => Number.isSafeInteger(side) && (side as number) > 0);
  return known ? [width as number, height as number] : null;
}

/** `images`, `annotations` (boxes `[x, y, width, height]` in pixels) and `categories`, which become classes in the order of their ids. */
function cocoImages(json: unknown, source: string): Found | null {
  const { images, annotations, categories } = (json ?? {}) as Record<string, unknown>;
  if (!Array.isArray(images) || !Array.isArray(annotations) || !Array.isArray(categories)) return null;
  const byId = [...categories].sort((a, b) => a?.id - b?.id);
  const classes = new Map(byId.map((category, i) => [category?.id as unknown, i]));
  const ordered = [...images].sort((a, b) => (String(a?.file_name) < String(b?.file_name) ? -1 : 1));
  const numbers = new Map(ordered.map((image, i) => [image?.id as unknown, i]));
  const boxes: Box[][] = ordered.map(() => []);
  const sizes = ordered.map((image, i) => {
    const size = sizeOf(image);
    if (size) return size;
    throw fault(source, i, "width and height of the image", image);
  });
  for (const annotation of annotations) {
    const { image_id, category_id, bbox, iscrowd } = (annotation ?? {}) as Record<string, unknown>;
    const image = numbers.get(image_id);
    const label = classes.get(category_id);
    const [x, y, w, h] = Array.isArray(bbox) ? (bbox as number[]) : [];
    if (image === undefined || label === undefined || ![x, y, w, h].every(Number.isFinite)) {
      throw fault(source, image ?? -1, "annotations with an image, a category and a box that are there", annotation);
    }
    const [width, height] = sizes[image]!;
    const corners = { x1: x! / width, y1: y! / height, x2: (x! + w!) / width, y2: (y! + h!) / height };
    boxes[image]!.push({ class: label, ...corners, ...(iscrowd ? { ignore: true } : {}) });
  }
  return {
    images: boxes.map((list, i) => ({ boxes: list, size: sizes[i]! })),
    names: byId.map((category) => String(category?.name)),
  };
}

function fault(source: string, image: number, what: string, got: unknown): AvocetError {
  const where = image < 0 ? "" : `, image ${image}`;
  const text = JSON.stringify(got)?.slice(0, 80) ?? "nothing";
  return new AvocetError("data/labels", `expected ${what}, got ${text}${where}`, {
    at: source,
    hint: '{"images": [{"boxes": [[class, x1, y1, x2, y2], …]}]} or annotations as of COCO: docs/judging.md',
  });
}
