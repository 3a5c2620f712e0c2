// Assembles tools/histogram-kernel.wat into src/quant/observers/kernels.generated.ts: node tools/build-kernels.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import makeWabt from "wabt";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const source = join(root, "tools/histogram-kernel.wat");
const wabt = await makeWabt();
const module = wabt.parseWat("histogram-kernel.wat", readFileSync(source, "utf8"), { simd: true });
module.validate();
const { buffer } = module.toBinary({});
writeFileSync(
  join(root, "src/quant/observers/kernels.generated.ts"),
  [
    "/** WebAssembly of tools/histogram-kernel.wat, made by tools/build-kernels.mjs. Do not edit. */",
    "",
    "/** The module's bytes in base64. */",
    "export const histogramKernel =",
    `  "${Buffer.from(buffer).toString("base64")}";`,
    "",
  ].join("\n"),
);
console.log(`${buffer.length} bytes`);
