/** Cells of bench/matrix.mjs and of bench/matrix-browser.mjs: kept as JSON, printed as Markdown. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./accuracy-tasks.mjs";
import { fine, keyOf, kinds, rows, targets } from "./matrix-cells.mjs";

const results = (name) => join(root, "bench", "results", name);

export function readMatrix() {
  const file = results("matrix.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { cells: {}, browser: {} };
}

export function writeMatrix(matrix) {
  writeFileSync(results("matrix.json"), `${JSON.stringify(matrix, null, 1)}\n`);
}

const providers = ["wasm", "webgpu"];

export function printMatrix() {
  const { cells, browser, versions, chromium } = readMatrix();
  const reasons = new Map();
  const reasonOf = (text) => {
    if (!reasons.has(text)) reasons.set(text, reasons.size + 1);
    return `refused ${reasons.get(text)}`;
  };
  const counts = { equal: 0, near: 0, other: 0, refused: 0 };
  const shown = (found) => {
    if (!found) return "";
    if (found.refused !== undefined) counts.refused++;
    else if (found.text === "=") counts.equal++;
    else counts[found.fault ? "other" : "near"]++;
    return found.refused !== undefined ? reasonOf(found.refused) : found.text;
  };
  const lines = rows
    .filter((row) => cells[keyOf(row)])
    .map((row) => {
      const key = keyOf(row);
      const own = targets.map((target) => shown(cells[key][target]));
      const tab = providers.map((provider) => browser?.[key]?.[provider]?.text ?? "");
      return `| ${[key, ...own, ...tab].join(" | ")} |`;
    });
  const columns = [...targets, "Chromium, wasm", "Chromium, WebGPU"];
  const tabs = rows.flatMap((row) => Object.values(browser?.[keyOf(row)] ?? {}));
  const equal = tabs.filter(({ text }) => text === "=").length;
  const faulty = tabs.filter(({ fault }) => fault).length;
  const text = `# Grids × granularities × forms × targets

\`node bench/matrix.mjs\`, ${versions?.[0]} of ort-node and ${versions?.[1]} of ort-web (wasm); \`node bench/matrix-browser.mjs\`, ${chromium ?? "no browser"}. One network with ${Object.keys(kinds).join(", ")}
layers is placed, calibrated by min-max, lowered, opened and run in both runtimes. "=": both stock sessions give what the simulation (ort-node without
optimisation) gives, within ${fine} of the range of each output. Else the share of elements beyond that of the worst kind, and the largest difference: elements next to the
middle of two steps, which kernels decide otherwise. MatMul in ort-node is asked for exact products (\`exactProducts\`).
What differs is Gemm with a float bias on coarse weights: a stock session rounds that bias to the accumulator's grid, which is one step of the
output, 1/255. The last two columns are the files of \`ort-web-wasm\` and \`ort-web-webgpu\` in headless Chromium, WebGPU computed in software; what is refused there was refused before.

${counts.equal} equal, ${counts.near} equal but for at most 2 % of a kind's elements, ${counts.other} others, ${counts.refused} refused before any work, in ${lines.length} of ${rows.length} rows. In the
browser ${equal} of ${tabs.length} equal, ${faulty} others; an empty cell there is refused, or was not run. \`tools/check_written.py\` (onnx.checker with full
inference) refuses none of 445 of the files.

| form | weights | activations | granularity | ${columns.join(" | ")} |
| --- | --- | --- | --- | ${columns.map(() => "---").join(" | ")} |
${lines.join("\n")}

## Why it is refused

${[...reasons].map(([reason, number]) => `${number}. ${reason}`).join("\n")}
`;
  writeFileSync(results("matrix.md"), text);
  console.log(JSON.stringify({ ...counts, rows: lines.length, browser: { cells: tabs.length, equal, faulty } }));
}
