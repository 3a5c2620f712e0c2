/**
 * AIMET's loader on folders of `quantize`: ResNet-20, W8 and W4, per tensor, channel and block, after `fast`, `standard` and `best`,
 * in the three versions of the encodings. Build first; `node bench/aimet-loader.mjs PYTHON` with a Python that has aimet-onnx.
 * A second argument is an expression that chooses settings ("best int4"). FIXTURES and PEERS name the folders of the fixtures and of
 * data.py (default: ../shared/…). Rows that are there are not run again.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const fixtures = resolve(process.env.FIXTURES ?? join(root, "../shared/fixtures"));
const peers = resolve(process.env.PEERS ?? join(root, "../shared/peers"));
const python = process.argv[2] ?? "python3";
const chosen = new RegExp(process.argv[3] ?? "");
const results = join(root, "bench/results/aimet-loader.json");
const rows = existsSync(results) ? JSON.parse(readFileSync(results, "utf8")) : [];

function run(command, args, env = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", env: { ...process.env, ...env } });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}\n${stderr.slice(-2000)}`);
  return stdout;
}

const avocet = (...args) => run(process.execPath, [join(root, "dist/cli/main.js"), ...args]);
const pictures = join(fixtures, "cifar10/train_jpegq75_5000_x.u8?shape=-1,32,32,3");
const work = mkdtempSync(join(tmpdir(), "avocet-aimet-"));
const preprocess = join(work, "preprocess.json");
writeFileSync(preprocess, '{"scale":"1/255","mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]}');

/** Three input channels hold no block of sixteen: the first convolution keeps a scale per channel where blocks allow it. */
const granularities = ["tensor", "channel", "block:16"];
const settings = ["aimet-default", "ort-cpu"].flatMap((target) =>
  ["fast", "standard", "best"].flatMap((preset) =>
    ["int4", "int8"].flatMap((weights) =>
      granularities.map((granularity) => ({ target, preset, weights, granularity })),
    ),
  ),
);

try {
  for (const setting of settings) {
    const { preset, target, weights, granularity } = setting;
    if (!chosen.test([target, preset, weights, granularity].join(" "))) continue;
    // The default target's rows are a sample: the encodings are written by the same code.
    if (target === "ort-cpu" && (granularity !== "channel" || preset === "best")) continue;
    if (rows.some((row) => Object.entries(setting).every(([key, value]) => row[key] === value))) continue;
    const folder = join(work, "run");
    rmSync(folder, { recursive: true, force: true });
    const model = join(fixtures, "cifar10/resnet20_cifar10jpeg_finetuned.onnx");
    const options = ["--preset", preset, "--target", target, "--weights", weights, "--granularity", granularity];
    const judge = ["--samples", process.env.SAMPLES ?? "200", "--preprocess", preprocess, "--quiet"];
    let seconds = performance.now();
    try {
      avocet("quantize", model, "--data", pictures, "-o", folder, ...options, ...judge);
    } catch (error) {
      rows.push({ ...setting, refused: String(error.message).split("\n").slice(1, 3).join(" ") });
      console.log(JSON.stringify(rows.at(-1)));
      writeFileSync(results, `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`);
      continue;
    }
    seconds = Math.round((performance.now() - seconds) / 1000);
    const files = ["0.6.1", "1.0.0", "2.0.0"].flatMap((version) => {
      const file = join(folder, `${version}.encodings`);
      // That version has no blocks.
      if (version === "0.6.1" && granularity === "block:16") return [];
      avocet("export", folder, "-o", file, "--format", version);
      return [file];
    });
    const bits = weights.replace("int", "");
    const told = run(python, [join(root, "bench/peers/aimet_loader.py"), peers, folder, bits, ...files], {
      TIES: target === "ort-cpu" ? "0" : "1",
    });
    for (const line of told.trim().split("\n")) {
      rows.push({ ...setting, ...JSON.parse(line), seconds });
      console.log(JSON.stringify(rows.at(-1)));
    }
    writeFileSync(results, `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
