/**
 * Quantization-aware training next to quantization alone. Run `npm run build` first, then
 *
 *   node bench/qat.mjs [--only PATTERN] [--threads N]
 *
 * Every row is a process of its own. Rows go to bench/results/qat.json as they end and are not run again; the tables are
 * bench/results/qat.md.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const { values: flags } = parseArgs({
  options: { only: { type: "string" }, threads: { type: "string", default: "2" } },
});
const results = join(here, "results");
const file = join(results, "qat.json");
const recorded = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { rows: {} };

const w4a4 = { weights: "int4", activations: "uint4", samples: "first:200" };
const w4a8 = { weights: "int4", samples: 500 };
const resnet = { epochs: 12, learningRate: 5e-4, flip: true, temperature: 4 };
const mobilenet = { epochs: 30, batch: 20, learningRate: 2e-4, flip: true, temperature: 2 };

/** Name → [task, recipe, whether labels are given]. */
const rows = {
  "ResNet-20 | W4A4 | labels and the float model": ["ResNet-20", { ...w4a4, training: resnet }, true],
  "ResNet-20 | W4A4 | the float model alone": ["ResNet-20", { ...w4a4, training: resnet }, false],
  "MobileNetV1-0.25 | W4A8, from nearest rounding | the float model alone": [
    "MobileNetV1-0.25",
    { ...w4a8, preset: "fast", training: mobilenet },
    false,
  ],
  "MobileNetV1-0.25 | W4A8, from nearest rounding, re-estimated | the float model alone": [
    "MobileNetV1-0.25",
    { ...w4a8, methods: [{ method: "batch-norm-re-estimation" }], training: mobilenet },
    false,
  ],
  "MobileNetV1-0.25 | W4A8 | the float model alone": ["MobileNetV1-0.25", { ...w4a8, training: mobilenet }, false],
  "MobileNetV1-0.25 | W4A8 | the float model alone, batch norms learned": [
    "MobileNetV1-0.25",
    { ...w4a8, training: { ...mobilenet, batchNorms: "learned" } },
    false,
  ],
};

for (const [name, [task, recipe, labelled]] of Object.entries(rows)) {
  for (const seed of [0, 1, 2]) {
    const key = `${name} | seed ${seed}`;
    if (recorded.rows[key] || (flags.only && !key.includes(flags.only))) continue;
    const text = JSON.stringify({ ...recipe, seed });
    const out = execFileSync(
      process.execPath,
      [join(here, "qat-job.mjs"), task, text, String(labelled), flags.threads],
      {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    recorded.rows[key] = {
      recipe: JSON.parse(text),
      machine: cpus()[0].model,
      ...JSON.parse(out.trim().split("\n").at(-1)),
    };
    console.log(key, recorded.rows[key]);
    mkdirSync(results, { recursive: true });
    writeFileSync(file, `${JSON.stringify(recorded, null, 1)}\n`);
  }
}
writeFileSync(join(results, "qat.md"), page());

function page() {
  const percent = (x) => (100 * x).toFixed(2);
  const lines = Object.keys(rows).flatMap((name) => {
    const seeds = Object.entries(recorded.rows).filter(([key]) => key.startsWith(`${name} | seed`));
    if (seeds.length === 0) return [];
    const each = seeds.map(([, row]) => row);
    const mean = (pick) => each.reduce((sum, row) => sum + pick(row), 0) / each.length;
    const [network, setting, teacher] = name.split(" | ");
    return [
      `| ${network} | ${setting} | ${teacher} | ${percent(each[0].float)} | ${percent(mean((r) => r.quantized))} | ` +
        `**${percent(mean((r) => r.trained))}** | ${percent(mean((r) => r.reestimated))} | ${each.map((r) => percent(r.trained)).join(", ")} | ` +
        `${mean((r) => r.trainingSeconds).toFixed(0)} | ${Math.max(...each.map((r) => r.peakMB))} | ` +
        `${percent(mean((r) => r.rangesMoved))} % |`,
    ];
  });
  return `# Quantization-aware training

\`npm run build\`, then \`node bench/qat.mjs\`. Every row begins with quantization ("quantized"; by preset \`standard\` but where it says otherwise) and trains from there; the
recipes stand in qat.json. ResNet-20: 5,000 training pictures, judged on 5,000 test pictures. MobileNetV1: the 200 calibration pictures,
judged on the other 800. "Re-estimated": the statistics of layers measured anew after training. "Ranges moved" is the median change of an activation's scale.
Seconds were taken while other work ran on the machine.

| network | grids | taught by | float | quantized | trained, mean | re-estimated | each seed | seconds | peak MB | ranges moved |
| --- | --- | --- | --: | --: | --: | --: | --- | --: | --: | --: |
${lines.join("\n")}
`;
}
