/** english_g2 (two bidirectional LSTMs behind convolutions, CTC): lines of text, word and character errors. */
import { readFileSync } from "node:fs";
import { ctcTexts } from "../../dist/analysis/metrics/ctc.js";
import { editDistance } from "../../dist/analysis/metrics/edit-distance.js";
import { decodePng } from "../../dist/data/images/png.js";
import { fromTensors } from "../../dist/data/inner.js";
import { Tensor } from "../../dist/tensor/inner.js";

const height = 64;
const normal = (pixels) => Float32Array.from(pixels, (p) => (p / 255 - 0.5) / 0.5);

/** The 200 lines of the fixture, each [1, 1, 64, width]. */
export async function judgedLines(folder) {
  const { images, charset } = JSON.parse(readFileSync(`${folder}/lines.json`, "utf8"));
  const pack = readFileSync(`${folder}/lines.pngpack`);
  const lines = [];
  for (const { text, offset, length, width } of images) {
    const { data } = await decodePng(pack.subarray(offset, offset + length), "line");
    const channels = data.length / (height * width);
    const grey = Uint8Array.from({ length: height * width }, (_, i) => data[i * channels]);
    lines.push({ text, image: Tensor.float32([1, 1, height, width], normal(grey)) });
  }
  return { lines, charset };
}

/** Rendered lines of one width (bench/peers/ocr_lines.py). */
export function renderedLines(path, count) {
  const width = 800;
  const bytes = readFileSync(`${path}.u8`);
  const size = height * width;
  const data = normal(bytes.subarray(0, count * size));
  const texts = JSON.parse(readFileSync(`${path}.json`, "utf8")).slice(0, count);
  return { texts, data: fromTensors({ image: Tensor.float32([count, 1, height, width], data) }) };
}

/** Word and character error rate in percent. */
export async function errorRates(session, { lines, charset }) {
  let [words, ofWords, characters, ofCharacters] = [0, 0, 0, 0];
  for (const { text, image } of lines) {
    const { logits } = await session.run({ image });
    const [found] = ctcTexts(logits, 1, { characters: [...charset], blank: 0, axes: "ntc" });
    words += editDistance(found.split(/\s+/).filter(Boolean), text.split(/\s+/).filter(Boolean));
    ofWords += text.split(/\s+/).filter(Boolean).length;
    characters += editDistance([...found], [...text]);
    ofCharacters += [...text].length;
  }
  return { wer: (100 * words) / ofWords, cer: (100 * characters) / ofCharacters };
}
