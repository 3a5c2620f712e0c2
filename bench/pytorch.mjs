/**
 * Exported programs of PyTorch, converted and run in ONNX Runtime next to PyTorch's own outputs:
 *   python tools/pytorch_architectures.py FOLDER && node bench/pytorch.mjs FOLDER
 * Writes bench/results/pytorch.md.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readNpz } from "../dist/data/inner-files.js";
import { openModel } from "../dist/formats/inner-node.js";
import { openRuntime } from "../dist/runtime/inner.js";

const folder = process.argv[2];
const runtime = await openRuntime("ort-node");
const rows = [];
for (const file of readdirSync(folder)
  .filter((name) => name.endsWith(".pt2"))
  .sort()) {
  const name = file.slice(0, -4);
  const path = join(folder, file);
  const megabytes = statSync(path).size / 1e6;
  try {
    const start = performance.now();
    const model = await openModel(path);
    const seconds = (performance.now() - start) / 1e3;
    const arrays = await readNpz(new Uint8Array(readFileSync(join(folder, `${name}.npz`))));
    const inputs = model.graph.inputs.filter((value) => !value.initializer);
    const session = await runtime.open(model);
    const found = await session.run(Object.fromEntries(inputs.map((value, i) => [value.name, arrays[`in${i}`]])));
    await session[Symbol.asyncDispose]();
    let worst = 0;
    for (const [i, { name: output }] of model.graph.outputs.entries()) {
      const [expected, answer] = [arrays[`out${i}`].numbers(), found[output].numbers()];
      const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), Number.MIN_VALUE);
      const off = expected.reduce((most, x, k) => Math.max(most, Math.abs(x - answer[k])), 0);
      worst = Math.max(worst, off / largest);
    }
    const verdict = worst < 1e-4 ? "equal" : "differs";
    rows.push([name, model.graph.nodeCount, megabytes.toFixed(1), seconds.toFixed(2), worst.toExponential(1), verdict]);
  } catch (error) {
    rows.push([name, "", megabytes.toFixed(1), "", "", error.message.split("\n").slice(0, 3).join(" ")]);
  }
  console.log(rows.at(-1).join("  "));
}
const equal = rows.filter((row) => row.at(-1) === "equal").length;
writeFileSync(
  new URL("results/pytorch.md", import.meta.url),
  `# Programs of torch.export

\`node bench/pytorch.mjs FOLDER\` on programs of \`tools/pytorch_architectures.py\` (random weights): ${equal} of ${rows.length} give PyTorch's outputs
in ONNX Runtime within 1e-4 of the largest. Seconds are those of reading and translating.

| program | nodes | MB | seconds | largest difference | |
| --- | --- | --- | --- | --- | --- |
${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}
`,
);
