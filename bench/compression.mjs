/**
 * What compression returns on ResNet-20 or ResNet-56 (CIFAR-10), without training and trained in float, and what is left in int8 afterwards. Run
 * `npm run build` first, then
 *
 *   node bench/compression.mjs [--network ResNet-20] [--share 0.5] [--samples 200] [--judged 1000] [--epochs 10 --seeds 3]
 *
 * With --epochs only the best form of every layer is made, once a seed, and trained with labels and the given model as teacher on the training
 * images of the fixture (a minute or two an epoch on two cores for ResNet-20).
 * Rows: AIMET's form (spatial SVD, plain) at the ranks that moments chose, the same ranks fitted on moments, the best form of every layer,
 * channels by norm and by least squares. Each is scored in float and, with the preset fast, in int8. The table goes to stdout.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fixture, root, tasks } from "./accuracy-tasks.mjs";

const { values: flags } = parseArgs({
  options: {
    share: { type: "string", default: "0.5" },
    samples: { type: "string", default: "200" },
    judged: { type: "string", default: "1000" },
    network: { type: "string", default: "ResNet-20" },
    epochs: { type: "string" },
    seeds: { type: "string", default: "1" },
  },
});
const small = tasks().find(({ name }) => name === "ResNet-20");
const deep = fixture("resnet-cifar10-akamaster/resnet56.onnx");
const task = flags.network === "ResNet-56" ? small && { ...small, model: deep } : small;
if (!task) throw new Error("the pictures of ResNet-20 are not here: set AVOCET_FIXTURES");
const folder = mkdtempSync(join(tmpdir(), "avocet-compression-"));
const judging = ["--evaluate", task.judged, "--labels", task.labels, "--evaluate-samples", flags.judged];

const rows = flags.epochs === undefined ? untrained() : trained();
const percent = (value) => (100 * value).toFixed(2);
console.log(`| ${flags.network} | MACs % | parameters % | top-1 float % | compressed % | and int8 % | seconds |`);
console.log("| --- | --: | --: | --: | --: | --: | --: |");
for (const [name, { cost, score, seconds, int8 }] of rows) {
  const share = (key) => percent(cost.after[key] / cost.before[key]);
  const scores = [score.float, score.compressed, int8].map(percent);
  console.log(`| ${[name, share("macs"), share("parameters"), ...scores, seconds.total.toFixed(0)].join(" | ")} |`);
}
rmSync(folder, { recursive: true });

function compress(name, options) {
  const out = join(folder, name);
  const made = avocet([
    "compress",
    task.model,
    "--samples",
    flags.samples,
    "-o",
    out,
    ...options,
    ...data(task.training.data),
    ...judging,
  ]);
  const quantized = avocet([
    "quantize",
    join(out, "model.onnx"),
    "--preset",
    "fast",
    "-o",
    `${out}-int8`,
    ...data(task.data),
    ...judging,
  ]);
  return { ...made, int8: quantized.score.quantized };
}

function data(spec) {
  return ["--data", spec, "--preprocess", task.preprocess];
}

function avocet(args) {
  const command = [join(root, "dist", "cli", "main.js"), ...args, "--json", "--quiet"];
  return JSON.parse(execFileSync(process.execPath, command, { maxBuffer: 1e8, stdio: ["ignore", "pipe", "inherit"] }));
}

function untrained() {
  const aware = compress("moments", ["--schemes", "spatial-svd", "--target-macs", flags.share]);
  const ratios = join(folder, "ratios.json");
  // Shares of what each layer costs, a little above, so that rounding keeps the rank.
  writeFileSync(
    ratios,
    JSON.stringify(
      Object.fromEntries(aware.layers.map(({ layer, macs: [before, after] }) => [layer, (after + 1) / before])),
    ),
  );
  return [
    [
      "spatial SVD, plain, the same ranks",
      compress("plain", ["--schemes", "spatial-svd", "--fit", "plain", "--ratios", ratios]),
    ],
    ["spatial SVD on moments", aware],
    ["best form of each layer, on moments", compress("all", ["--target-macs", flags.share])],
    [
      "channels by norm",
      compress("norm", ["--schemes", "channel-pruning", "--fit", "plain", "--target-macs", flags.share]),
    ],
    ["channels on moments", compress("channels", ["--schemes", "channel-pruning", "--target-macs", flags.share])],
  ];
}

/** Images are mirrored and moved; labels and the given model teach alike. */
function trained() {
  return Array.from({ length: Number(flags.seeds) }, (_, seed) => [
    `best form of each layer, ${flags.epochs} epochs, seed ${seed}`,
    compress(`trained-${seed}`, [
      "--target-macs",
      flags.share,
      "--seed",
      String(seed),
      "--finetune",
      `epochs=${flags.epochs},labels=0.5,flip=true,crop=4`,
      "--finetune-labels",
      task.training.labels,
    ]),
  ]);
}
