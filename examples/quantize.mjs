/**
 * The library in ten lines: reads the bundled model, calibrates it on pictures that are rendered as they are needed,
 * and writes the 8-bit model. Run it after `npm run build` with `node examples/quantize.mjs [OUT.onnx]`.
 */
import { fileURLToPath } from "node:url";
import { fromIterable, openRuntime, parseRecipe, quantizeModel } from "avocet";
import { readModelFile, writeModelFile } from "avocet/node";
import { networkInputs } from "./pictures/dataset.mjs";

const model = readModelFile(fileURLToPath(new URL("models/pictures.onnx", import.meta.url)));
const data = fromIterable(() => networkInputs("calibration", 300), { count: 300, source: "rendered pictures" });
const { shipped, plan } = await quantizeModel(model, data, parseRecipe({}), await openRuntime());
await writeModelFile(shipped, process.argv[2] ?? "pictures-int8.onnx");
console.log(`${plan.entries.length} values quantized, ${plan.notQuantized.length} left in float`);
