/** The files of other frameworks that pages speak of: small recorded ones, under the names that the pages give them. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Random } from "../src/base/inner.ts";
import { writeNpy } from "../src/data/inner-files.ts";
import { sizeOf, Tensor } from "../src/tensor/inner.ts";
import { kerasCases } from "./keras-cases.ts";
import { root } from "./source-files.ts";

/** What one sample of samples.npy looks like, page by page. */
const samples: Readonly<Record<string, readonly number[]>> = {
  "docs/keras.md": [5],
  "docs/pytorch.md": [5],
  "docs/tflite.md": [7, 9, 3],
};

const recorded = (path: string) =>
  JSON.parse(gunzipSync(readFileSync(join(root, "src/formats", path))).toString()) as readonly {
    readonly name: string;
    readonly model: string;
    readonly programs: Readonly<Record<string, string>>;
  }[];

/** Puts the models into a folder. */
export function writeForeignModels(folder: string): void {
  const keras = (name: string) => kerasCases.find((one) => one.name === name)!.bytes;
  writeFileSync(join(folder, "model.keras"), keras("Dense (keras3.keras)"));
  writeFileSync(join(folder, "model.h5"), keras("Dense (keras3.h5)"));
  const linear = recorded("pytorch/golden/operators.json.gz").find(({ name }) => name === "linear")!;
  writeFileSync(join(folder, "model.pt2"), Buffer.from(linear.programs["as exported"]!, "hex"));
  const conv = recorded("tflite/golden/operators.json.gz").find(({ name }) => name.startsWith("conv2d (1, 7, 9, 3)"))!;
  writeFileSync(join(folder, "model.tflite"), Buffer.from(conv.model, "base64"));
  const llama = join(root, "src/formats/decoder/golden/llama.gguf");
  copyFileSync(llama, join(folder, "SmolLM2-135M-Instruct.Q4_1.gguf"));
}

/** The samples that a page's models take; nothing where it has none. */
export function writeSamplesOf(document: string, folder: string): void {
  const one = samples[document];
  if (!one) return;
  const random = new Random(1);
  const numbers = Float32Array.from({ length: 8 * sizeOf(one) }, () => random.normal());
  writeFileSync(join(folder, "samples.npy"), writeNpy(Tensor.float32([8, ...one], numbers)));
}
