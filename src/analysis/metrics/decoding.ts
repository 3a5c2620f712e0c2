/** How outputs become texts or boxes, as data: what `--decode FILE` holds. */
import { z } from "zod";
import { AvocetError } from "../../base/inner.ts";
import { checkSchema } from "../../data/inner-files.ts";

const index = z.number().int().min(0).max(65_535);
const share = z.number().min(0).max(1);

const ctc = z
  .strictObject({
    characters: z
      .union([z.string().min(1), z.array(z.string()).min(1)])
      .describe(
        "What the classes but the blank stand for, in their order: the characters of a text, or a list of texts.",
      ),
    output: z.string().min(1).optional().describe("The output that has the scores. Default: the judged one."),
    blank: index.default(0).describe("The class that stands for nothing."),
    axes: z.enum(["ntc", "tnc", "nct"]).default("ntc").describe("Order of samples (n), steps (t) and classes (c)."),
  })
  .describe(
    "Connectionist temporal classification, decoded greedily: the best class of each step, repetitions and blanks dropped.",
  );

const boxes = z
  .strictObject({
    axis: z
      .number()
      .int()
      .min(1)
      .max(7)
      .default(1)
      .describe("The axis that holds the numbers of one box; all others but the first count boxes."),
    box: z.tuple([index, index, index, index]).describe("Which numbers are the box."),
    form: z.enum(["center", "corners"]).default("center").describe("cx, cy, width, height; or x1, y1, x2, y2."),
    position: z.enum(["none", "sigmoid", "tanh"]).default("none").describe("What is applied to the first two numbers."),
    size: z.enum(["none", "sigmoid", "exp"]).default("none").describe("What is applied to the last two numbers."),
    cells: z.boolean().default(false).describe("Whether positions count from the cell of the last two axes, in cells."),
    divide: z
      .tuple([z.number().positive(), z.number().positive()])
      .default([1, 1])
      .describe(
        "Width and height that boxes are divided by to be shares of the input: its size where they are in pixels.",
      ),
    object: index.optional().describe("The number that says whether there is an object. Default: none says it."),
    classes: index.describe("The first number of the classes; all from there on are."),
    scores: z.enum(["none", "sigmoid"]).default("none").describe("What is applied to scores of object and classes."),
    powers: z
      .tuple([z.number().positive(), z.number().positive()])
      .default([1, 1])
      .describe("A box has the score object^first · class^second."),
    scoreOutput: z.string().min(1).optional().describe("The output that has the scores. Default: the judged one."),
    boxOutput: z
      .string()
      .min(1)
      .optional()
      .describe("The output that has the boxes, where they do not lie next to the scores."),
    overlap: share
      .default(0.45)
      .describe("Of boxes of one class that overlap more (intersection over union), the best stays."),
    least: share.default(0.001).describe("Boxes with a lower score are dropped."),
    most: z.number().int().min(1).max(1000).default(100).describe("The most boxes of an image that stay."),
    letterbox: z
      .boolean()
      .default(false)
      .describe("Images were letterboxed: boxes are of the whole input, labels of the image in it."),
  })
  .describe("Boxes around objects, of models with one row of numbers for each.");

const forms = { ctc: z.strictObject({ ctc }), boxes: z.strictObject({ boxes }) };

export type Decoding = z.output<typeof forms.ctc> | z.output<typeof forms.boxes>;
export type CtcDecoding = z.output<typeof ctc>;
export type BoxDecoding = z.output<typeof boxes>;

/** Checks a decoding and fills its defaults. Throws `usage/bad-value` with every fault at once. */
export function parseDecoding(json: unknown, at: string): Decoding {
  const isBoxes = typeof json === "object" && json !== null && "boxes" in json;
  const result = checkSchema<Decoding>(isBoxes ? forms.boxes : forms.ctc, json);
  if ("value" in result) return result.value;
  throw new AvocetError("usage/bad-value", `the decoding has faults:\n${result.faults}`, {
    at,
    hint: '{"ctc": {"characters": "abc…"}} or {"boxes": {"box": [1, 2, 3, 4], "classes": 5}}: docs/judging.md',
  });
}
