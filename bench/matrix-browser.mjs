/**
 * The files of bench/matrix.mjs for the targets of the web in a real browser: those of ort-web-wasm on WebAssembly, those of ort-web-webgpu on WebGPU
 * (headless Chromium, computed in software), held against the simulation in Node. Run `npm run build` first, then
 *
 *   node bench/matrix-browser.mjs [--every N] [--seconds S] [--provider webgpu]
 *
 * Cells go to bench/results/matrix.json and are not run again.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { rolldown } from "rolldown";
import { writeModel } from "../dist/formats/inner.js";
import { Tensor } from "../dist/tensor/inner.js";
import { root } from "./accuracy-tasks.mjs";
import { feeds, fileOf, keyOf, node, rows, run, said } from "./matrix-cells.mjs";
import { printMatrix, readMatrix, writeMatrix } from "./matrix-table.mjs";

const { values: flags } = parseArgs({
  options: {
    every: { type: "string", default: "1" },
    seconds: { type: "string", default: "100000" },
    provider: { type: "string" },
  },
});

const build = await rolldown({
  input: join(root, "test/browser/opener.ts"),
  platform: "node",
  tsconfig: false,
  external: [/^[a-z@][^:]*$/i],
  transform: { target: "es2022" },
});
await build.write({ dir: join(root, "tmp"), format: "esm", entryFileNames: "browser-opener.mjs" });
await build.close();
const { openOpener } = await import(join(root, "tmp/browser-opener.mjs"));
const opener = await openOpener();
if ("because" in opener) throw new Error(opener.because);

const sent = Object.fromEntries(
  Object.entries(feeds).map(([name, tensor]) => [
    name,
    { dtype: tensor.dtype, shape: tensor.shape, numbers: tensor.numbers() },
  ]),
);
const received = (outputs) =>
  Object.fromEntries(
    Object.entries(outputs).map(([name, { shape, numbers }]) => [name, Tensor.float32(shape, numbers)]),
  );
const pairs = [
  ["ort-web-wasm", "wasm"],
  ["ort-web-webgpu", "webgpu"],
].filter(([, provider]) => (flags.provider ?? provider) === provider);

const end = performance.now() + 1000 * Number(flags.seconds);
for (const row of rows.filter((_, i) => i % Number(flags.every) === 0)) {
  if (performance.now() > end) break;
  for (const [target, provider] of pairs) {
    const key = keyOf(row);
    if (readMatrix().browser?.[key]?.[provider]) continue;
    const { file } = fileOf(row, target);
    if (!file) continue;
    const simulated = await run(node, file, { optimization: "off" });
    const found = await opener.run(writeModel(file), "m.onnx", sent, provider);
    const cell =
      "refused" in found
        ? { text: `**${found.refused.replace(/\s+/g, " ").replaceAll("|", "/").slice(0, 160)}**`, fault: true }
        : said("", simulated, received(found.outputs));
    const text = cell.text.trim();
    const matrix = readMatrix();
    const browser = { ...matrix.browser, [key]: { ...matrix.browser?.[key], [provider]: { text, fault: cell.fault } } };
    writeMatrix({ ...matrix, chromium: `Chromium ${opener.version}`, browser });
    if (text !== "=") console.log(key, provider, text);
  }
}
await opener[Symbol.asyncDispose]();
printMatrix();
