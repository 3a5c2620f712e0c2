/**
 * Preprocessing as data: how a decoded image (or a raw array) becomes a model's input.
 *
 * The steps run in this order, each only if it is named:
 *   orient → color → resize → crop → y = (x·scale − mean) / std · gain → dtype → layout
 * Pixels x are 0 … 255. `mean` and `std` are per channel in the order of `color`, in units after `scale`.
 */
import { z } from "zod";
import { AvocetError } from "../base/inner.ts";
import { channelsOf, factorOf } from "./preprocess-arithmetic.ts";
import { checkSchema } from "./schema-faults.ts";

const side = z.number().int().min(1).max(65_535);
const box = z.union([side, z.tuple([side, side])]).describe("[width, height] in pixels, or one number for a square.");
const filter = z
  .enum(["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"])
  .default("bilinear")
  .describe("Resampling filter, as Pillow's: antialiased where it shrinks (nearest is not).");
const fraction = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*\/\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;
const factor = z.union([z.number(), z.string().regex(fraction, 'expected a number or a fraction such as "1/255"')]);
const perChannel = z.union([z.number(), z.array(z.number()).min(1).max(4)]);

const resize = z
  .union([
    z.strictObject({ exact: box, filter }).describe("To this size; proportions are not kept."),
    z.strictObject({ short: side, filter }).describe("The shorter side to this many pixels, proportions kept."),
    z
      .strictObject({ letterbox: box, fill: z.number().int().min(0).max(255).default(0), filter })
      .describe("As large as fits, proportions kept, centred on a background of `fill`."),
  ])
  .describe("How the image is resized, in 8 bits, before it is cropped.");

const mapping = z.strictObject({
  orient: z.boolean().default(false).describe("Turn images as their EXIF orientation says. Pillow does not by itself."),
  color: z.enum(["rgb", "bgr", "gray"]).default("rgb").describe("Channels of the input; gray is Pillow's L."),
  resize: resize.optional(),
  crop: box.optional().describe("The centre part of this size; it must fit."),
  scale: factor.default(1).describe('Multiplies pixels first: a number, or a fraction such as "1/255".'),
  mean: perChannel.default(0).describe("Subtracted after `scale`; one number, or one per channel."),
  std: perChannel.default(1).describe("Divides after `mean`; one number, or one per channel."),
  gain: factor.default(1).describe("Multiplies at the end."),
  dtype: z
    .enum(["float32", "float16", "uint8", "int8"])
    .default("float32")
    .describe("Element type; integers are rounded half to even and saturated."),
  layout: z.enum(["nchw", "nhwc"]).default("nchw").describe("Order of the axes: batch, channels, height, width."),
});

/** The schema of preprocessing, part of a recipe. */
export const preprocessSchema = mapping
  .superRefine((value, context) => {
    const channels = channelsOf(value.color);
    for (const key of ["mean", "std"] as const) {
      const given = value[key];
      if (Array.isArray(given) && given.length !== 1 && given.length !== channels) {
        context.addIssue({
          code: "custom",
          path: [key],
          message: `expected 1 or ${channels} numbers for color "${value.color}", got ${given.length}`,
        });
      }
    }
    if ([value.std].flat().some((s) => s === 0)) {
      context.addIssue({ code: "custom", path: ["std"], message: "expected numbers other than 0" });
    }
    for (const key of ["scale", "gain"] as const) {
      const number = factorOf(value[key]);
      if (!Number.isFinite(number) || number === 0) {
        context.addIssue({ code: "custom", path: [key], message: "expected a finite number other than 0" });
      }
    }
  })
  .describe(
    "From pixels to a model's input: orient, color, resize, crop, (x·scale − mean) / std · gain, dtype, layout.",
  );

/** Preprocessing with every default filled in. */
export type Preprocess = z.output<typeof preprocessSchema>;
/** Preprocessing as people write it. */
export type PreprocessInput = z.input<typeof preprocessSchema>;
export type ResizeFilter = NonNullable<Preprocess["resize"]>["filter"];

/** Checks preprocessing and fills its defaults. Throws `recipe/invalid` with every fault at once. */
export function parsePreprocess(input: unknown, at = "preprocess"): Preprocess {
  const result = checkSchema(preprocessSchema, input);
  if ("value" in result) return result.value;
  throw new AvocetError("recipe/invalid", `the preprocessing has faults:\n${result.faults}`, {
    at,
    hint: 'for example {"resize": {"short": 256}, "crop": 224, "scale": "1/255", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}',
  });
}
