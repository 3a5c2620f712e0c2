/**
 * The matrix: grid of weights × grid of activations × granularity × form × target, on one network of every kind of layer. Each file is opened and
 * run in stock sessions of ort-node and of ort-web (wasm), and held against its simulation (ort-node without optimisation); or placement has
 * refused it, and the table says why. Run `npm run build` first, then
 *
 *   node bench/matrix.mjs [--files FOLDER] [--every N] [--seconds S]
 *   node bench/matrix-browser.mjs       the files of the targets of the web in a real browser
 *
 * Cells go to bench/results/matrix.json as rows end and are not run again (delete it to begin again); bench/results/matrix.md is printed from
 * them. With --files one file of every row is kept, for `python tools/check_written.py FOLDER`.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeModelFile } from "../dist/formats/inner-node.js";
import { fileOf, keyOf, node, rows, run, said, targets, web } from "./matrix-cells.mjs";
import { printMatrix, readMatrix, writeMatrix } from "./matrix-table.mjs";

const { values: flags } = parseArgs({
  options: {
    files: { type: "string" },
    every: { type: "string", default: "1" },
    seconds: { type: "string", default: "100000" },
  },
});
/** --every N takes each N-th row: a sample of the matrix. */
const chosen = rows.filter((_, i) => i % Number(flags.every) === 0);

async function cell(row, target) {
  const { file, refused } = fileOf(row, target);
  if (!file) return { refused };
  let simulated;
  try {
    simulated = await run(node, file, { optimization: "off" });
  } catch (error) {
    return { text: `**simulation does not run**: ${error.message.slice(0, 120)}`, fault: true };
  }
  const parts = [];
  let fault = false;
  for (const [name, runtime, options] of [
    ["node", node, { exactProducts: true }],
    ["web", web, {}],
  ]) {
    try {
      const found = said(name, simulated, await run(runtime, file, options));
      parts.push(found.text);
      fault ||= found.fault;
    } catch (error) {
      parts.push(`**${name}**: ${error.message.slice(0, 120)}`);
      fault = true;
    }
  }
  const text = parts.join(", ");
  return { text: text === "node =, web =" ? "=" : text, fault, file };
}

const end = performance.now() + 1000 * Number(flags.seconds);
for (const [i, row] of chosen.entries()) {
  if (performance.now() > end) break;
  const matrix = readMatrix();
  if (matrix.cells[keyOf(row)]) continue;
  const cells = {};
  for (const target of targets) {
    const { file, ...found } = await cell(row, target);
    cells[target] = found;
    if (flags.files && file && (target === "ort-cpu" || i % targets.length === targets.indexOf(target))) {
      mkdirSync(flags.files, { recursive: true });
      await writeModelFile(file, join(flags.files, `${i}.${target}.onnx`));
    }
  }
  // Read again: the browser's cells may have been written meanwhile.
  const { cells: known, ...rest } = readMatrix();
  writeMatrix({ ...rest, versions: [node.version, web.version], cells: { ...known, [keyOf(row)]: cells } });
}
printMatrix();
