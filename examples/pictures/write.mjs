/**
 * Writes pictures to disk: class folders of PNG files for people and for the command line, or one array file for training.
 *
 *     node examples/pictures/write.mjs OUT --test 1500 --calibration 300          OUT/test/avocet/00003.png …
 *     node examples/pictures/write.mjs OUT --train 12000 --npy                    OUT/train.npy, OUT/train-labels.npy
 *     node examples/pictures/write.mjs OUT --sheet 24                             OUT/sheet.png: the first 24 of the test
 */
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Tensor } from "avocet";
import { writeNpy } from "avocet/data";
import { encode } from "fast-png";
import { pictureLabels, pictures } from "./dataset.mjs";
import { classNames } from "./objects.mjs";
import { side } from "./render.mjs";

/** @typedef {import("./dataset.mjs").Split} Split */

/** Writes a split as class folders and gives back the folder. @param {string} out @param {Split} split @param {number} count */
export function writePngs(out, split, count) {
  for (const name of classNames) mkdirSync(join(out, split, name), { recursive: true });
  for (const { index, label, pixels } of pictures(split, count)) {
    const file = `${String(index).padStart(5, "0")}.png`;
    writeFileSync(join(out, split, classNames[label], file), png(pixels, side, side, 1));
  }
  return join(out, split);
}

/** Writes the first test pictures on one sheet, a column for each class. @param {string} out @param {number} count */
export function writeSheet(out, count) {
  mkdirSync(out, { recursive: true });
  const rows = Math.ceil(count / classNames.length);
  const width = side * classNames.length;
  const sheet = new Uint8Array(width * side * rows * 3);
  for (const { index, label, pixels } of pictures("test", count)) {
    const top = side * Math.floor(index / classNames.length);
    for (let y = 0; y < side; y++) {
      sheet.set(pixels.subarray(y * side * 3, (y + 1) * side * 3), ((top + y) * width + label * side) * 3);
    }
  }
  writeFileSync(join(out, "sheet.png"), png(sheet, width, side * rows, 9));
}

/** @param {Uint8Array} data @param {number} width @param {number} height @param {1 | 9} level how hard zlib tries */
function png(data, width, height, level) {
  return encode({ data, width, height, channels: 3, depth: 8 }, { zlib: { level } });
}

/** Writes a split as uint8 arrays, pictures [count, side, side, 3] and labels [count]. @param {string} out @param {Split} split @param {number} count */
export function writeArrays(out, split, count) {
  mkdirSync(out, { recursive: true });
  const all = new Uint8Array(count * side * side * 3);
  for (const { index, pixels } of pictures(split, count)) all.set(pixels, index * pixels.length);
  writeFileSync(join(out, `${split}.npy`), writeNpy(Tensor.of("uint8", [count, side, side, 3], all)));
  writeFileSync(join(out, `${split}-labels.npy`), writeNpy(Tensor.of("uint8", [count], pictureLabels(split, count))));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      train: { type: "string" },
      calibration: { type: "string" },
      test: { type: "string" },
      npy: { type: "boolean" },
      sheet: { type: "string" },
    },
  });
  const [out] = positionals;
  if (!out)
    throw new Error(
      "usage: node examples/pictures/write.mjs OUT [--train N] [--calibration N] [--test N] [--npy] [--sheet N]",
    );
  if (values.sheet) writeSheet(out, Number(values.sheet));
  for (const split of /** @type {const} */ (["train", "calibration", "test"])) {
    const count = Number(values[split] ?? 0);
    if (count > 0) (values.npy ? writeArrays : writePngs)(out, split, count);
  }
}
