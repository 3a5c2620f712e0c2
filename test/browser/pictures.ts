/** The bundled example, quantized and run by whoever imports this: Node, or a page. */
import {
  fromIterable,
  parseRecipe,
  quantizeModel,
  type Runtime,
  readModel,
  type SessionOptions,
  type Tensor,
  type Verification,
  verify,
  writeModel,
} from "avocet";
import { networkInputs } from "../../examples/pictures/dataset.mjs";

/** The encoding of one value: what decides the numbers, and what can be sent from a page. */
export interface SentEncoding {
  readonly value: string;
  readonly steps: number;
  readonly scale: readonly number[];
  readonly offset: readonly number[];
}

export interface QuantizedPictures {
  readonly encodings: readonly SentEncoding[];
  readonly bytes: Uint8Array;
  readonly seconds: number;
}

/** From the bytes of the float model to the bytes of the file that ships. */
export async function quantizePictures(runtime: Runtime, model: Uint8Array, count: number): Promise<QuantizedPictures> {
  const begun = performance.now();
  const data = fromIterable(() => networkInputs("calibration", count), { count, source: "rendered pictures" });
  // Calibration alone is promised to be the same everywhere: descent on moments chooses between near ties, and turns those
  // differences in the last bit, which kernels of WebAssembly have, into other integers.
  const recipe = parseRecipe({ preset: "fast" });
  const { plan, shipped } = await quantizeModel(readModel(model), data, recipe, runtime);
  const encodings = plan.entries.flatMap(({ value, encoding }) =>
    encoding?.grid.kind === "int"
      ? [{ value, steps: 2 ** encoding.grid.bits - 1, scale: encoding.scale, offset: encoding.offset }]
      : [],
  );
  return { encodings, bytes: writeModel(shipped), seconds: (performance.now() - begun) / 1000 };
}

/** The scores [count, classes] of the first test pictures, each picture run alone. */
export async function scorePictures(
  runtime: Runtime,
  model: Uint8Array,
  count: number,
  options: SessionOptions = {},
): Promise<number[][]> {
  await using session = await runtime.open(model, options);
  const scores: number[][] = [];
  for (const feeds of networkInputs("test", count)) {
    const [logits] = Object.values(await session.run(feeds)) as [Tensor];
    scores.push(logits.numbers());
  }
  return scores;
}

/** `verify` on the first test pictures. */
export async function verifyPictures(
  runtime: Runtime,
  float: Uint8Array,
  shipped: Uint8Array,
  count: number,
): Promise<Verification> {
  const data = fromIterable(() => networkInputs("test", count), { count, source: "rendered pictures" });
  const fileOf = (file: Uint8Array) => ({ model: readModel(file), file, bytes: file.byteLength });
  return verify(fileOf(shipped), fileOf(float), runtime, data, { classes: true });
}
