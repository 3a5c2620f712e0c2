/** Packs: many encoded images in one file, and a JSON index that says where each one lies. */
import { z } from "zod";
import { AvocetError } from "../base/inner.ts";
import { type ByteSource, checkRange } from "./byte-source.ts";
import { checkSchema } from "./schema-faults.ts";

const entrySchema = z.looseObject({
  offset: z.number().int().min(0),
  length: z.number().int().min(1),
  file: z.string().optional(),
  label: z.number().int().min(0).optional(),
});

const indexSchema = z.union([
  z.array(entrySchema),
  z.looseObject({
    images: z.array(entrySchema),
    /** The pack, relative to the index. */
    pack: z.string().optional(),
    /** Labels per pixel: a raw file next to the index, and its shape. */
    labels: z.string().optional(),
    label_shape: z.tuple([z.number().int(), z.number().int(), z.number().int()]).optional(),
    classes: z.array(z.string()).optional(),
  }),
]);

export type PackEntry = z.infer<typeof entrySchema>;
export interface PackIndex {
  readonly images: readonly PackEntry[];
  readonly pack?: string | undefined;
  readonly labels?: string | undefined;
  readonly label_shape?: readonly [number, number, number] | undefined;
  readonly classes?: readonly string[] | undefined;
}

/** Whether JSON has the form of a pack's index: {images: [{offset, length}]} or the bare array. */
export function isPackIndex(json: unknown): boolean {
  const images = Array.isArray(json) ? json : (json as { images?: unknown } | null)?.images;
  const first = Array.isArray(images) ? images[0] : null;
  return typeof first === "object" && first !== null && "offset" in first && "length" in first;
}

/** Reads an index. Throws `data/unreadable`. */
export function parsePackIndex(json: unknown, at: string): PackIndex {
  const result = checkSchema(indexSchema, json);
  if ("faults" in result) {
    throw new AvocetError("data/unreadable", `expected the index of a pack:\n${result.faults}`, {
      at,
      hint: 'for example {"images": [{"offset": 0, "length": 1234, "label": 7}]}',
    });
  }
  return Array.isArray(result.value) ? { images: result.value } : result.value;
}

/** The encoded images of a pack. Throws `data/unreadable` for an entry outside the file, `data/none`. */
export function packFiles(pack: ByteSource, index: PackIndex) {
  const { images } = index;
  const name = (i: number) => `${pack.name}, image ${i}${images[i]?.file ? ` (${images[i].file})` : ""}`;
  for (const [i, { offset, length }] of images.entries()) checkRange(name(i), pack.size, offset, length);
  return {
    count: images.length,
    source: pack.name,
    name,
    bytes: (i: number) => pack.read(images[i]!.offset, images[i]!.length),
  };
}

/** The class of each image, or null when the index has none. Throws `data/labels` when only some have one. */
export function packLabels(index: PackIndex, at: string): number[] | null {
  const labels = index.images.map(({ label }) => label);
  if (labels.every((label) => label === undefined)) return null;
  const absent = labels.indexOf(undefined);
  if (absent >= 0)
    throw new AvocetError("data/labels", `expected a label for every image, image ${absent} has none`, { at });
  return labels as number[];
}
