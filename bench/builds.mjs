/**
 * Two builds of Avocet in turn in one run: what a change of the structure costs. FOLDER is a checkout of the other commit, with
 * `npm ci && npm run build` done there and here:
 *
 *     node bench/builds.mjs --old FOLDER [--moved FOLDER] [--rounds 5] [--only PART OF A NAME]
 *
 * `--moved` is a third checkout, of the last commit that only moved what was there: bundles are weighed with it, too, because what
 * later features weigh is not what the structure costs.
 *
 * Every figure is made by a process of its own, old and new by turns; which of them goes first alternates. Processor time on one
 * thread where a task does one thing; the ratio is new / old of the least of all rounds, because neighbours on a machine only ever
 * add. The table is bench/results/builds.md.
 */
import { execFile, execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const run = promisify(execFile);
const { values: flags } = parseArgs({
  options: {
    old: { type: "string" },
    moved: { type: "string" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "" },
  },
});
if (!flags.old) throw new Error("--old FOLDER: a checkout of the other commit, built");
const here = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folders = { old: resolve(flags.old), new: here };
const fixtures = resolve(process.env.AVOCET_FIXTURES ?? join(here, "../shared/fixtures"));
const preprocess = (name) => join(here, "bench/preprocess", `${name}.json`);

/** A script of the folder's own bench/ that prints JSON in its last line. */
const script = (file, ...args) => ({
  command: (folder) => [join(folder, "bench", file), ...args],
  read: (stdout) => JSON.parse(stdout.trim().split("\n").at(-1)),
});
const calibration = (model, data, prepared, job) => {
  const given = {
    count: 200,
    threads: 1,
    model: join(fixtures, model),
    data: join(fixtures, data),
    preprocess: preprocess(prepared),
    job,
  };
  const { command, read } = script("calibration-job.mjs", JSON.stringify(given));
  return { command, read: (stdout) => read(stdout).cpu, unit: "s" };
};
const ptq = (task, recipe) => ({
  command: (folder) => [join(here, "bench/builds-ptq.mjs"), folder, task, JSON.stringify(recipe)],
  read: (stdout) => JSON.parse(stdout).value,
  unit: "s",
  most: 3,
});
const step = (net) => ({
  command: (folder) => [join(here, "bench/builds-step.mjs"), folder, net],
  read: (stdout) => JSON.parse(stdout).value,
  unit: "ms",
});
// Starts are short, and most of them is Node's own: more rounds find the least.
const cli = (...args) => ({
  command: (folder) => [join(folder, "dist/cli/main.js"), ...args],
  unit: "s",
  whole: true,
  least: 12,
});

const rows = {
  "start: avocet --version": cli("--version"),
  "start: avocet --help": cli("--help"),
  "start: avocet quantize --help": cli("quantize", "--help"),
  "start: avocet inspect of a small model": cli("inspect", join(here, "examples/models/pictures.onnx"), "--json"),
  "calibration, minmax, MobileNetV1": calibration(
    "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx",
    "imagenet1k-sample/index.json?every=5",
    "mobilenet-v1",
    "minmax",
  ),
  "calibration, sqnr, MobileNetV1": calibration(
    "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx",
    "imagenet1k-sample/index.json?every=5",
    "mobilenet-v1",
    "sqnr",
  ),
  // The calibration of the presets weighs errors again since the old build: another one shows what the structure costs.
  "quantize fast with calibration mse, ResNet-20": ptq("ResNet-20", { preset: "fast", calibration: "mse" }),
  "quantize standard with calibration mse, ResNet-20 W4A8": ptq("ResNet-20", {
    preset: "standard",
    weights: "int4",
    calibration: "mse",
  }),
  "quantize fast with calibration mse, MobileNetV1": ptq("MobileNetV1-0.25", { preset: "fast", calibration: "mse" }),
  "QAT step, ResNet-20": step("resnet20"),
  "QAT step, MobileNetV1": step("mobilenet"),
};

/** The figure that a process prints, or the processor seconds of it and its children. */
async function measure({ command, read, whole }, folder) {
  const args = command(folder);
  if (!whole) return read((await run(process.execPath, args, { cwd: folder, maxBuffer: 2 ** 26 })).stdout);
  const timed = 'TIMEFORMAT="%U %S"; time "$@" >/dev/null 2>&1';
  const { stderr } = await run("bash", ["-c", timed, "bash", process.execPath, ...args], { cwd: folder });
  const [user, system] = stderr.trim().split(" ").map(Number);
  return user + system;
}

/** Bytes that a page loads, compressed, of a folder's own sources: with all that the files of `entry` offer, but for those of `without`. */
async function bundleBytes(folder, entry, without) {
  const { exports, imports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const sourceOf = (built) => join(folder, built.replace("./dist/", "src/").replace(/\.js$/, ".ts"));
  const alias = {};
  for (const [name, target] of Object.entries(imports)) alias[name] = sourceOf(target.default);
  for (const [subpath, target] of Object.entries(exports).reverse()) {
    if (typeof target !== "string") alias[`avocet${subpath.slice(1)}`] = sourceOf(target.default);
  }
  const known = entry.map((file) =>
    [file, file.replace("inner.ts", "index.ts")].find((f) => existsSync(join(folder, f))),
  );
  const code = known.flatMap((file, i) =>
    file ? [`export * as part${i} from ${JSON.stringify(join(folder, file))};`] : [],
  );
  const build = await rolldown({
    input: "entry",
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === "entry" ? id : null),
        load: (id) => (id === "entry" ? code.join("\n") : without?.test(id) ? "export {};" : null),
      },
    ],
    cwd: folder,
    platform: "browser",
    tsconfig: false,
    shimMissingExports: without !== undefined,
    resolve: { alias },
    external: [/^onnxruntime-web\//],
    onLog: () => {},
  });
  const { output } = await build.generate({ format: "esm", minify: true });
  await build.close();
  const parts = output.flatMap((part) => (part.type === "chunk" ? [part.code] : []));
  return parts.reduce((sum, text) => sum + gzipSync(text).length, 0);
}

const lines = [];
const report = (name, unit, old, now) => {
  const digits = unit === "bytes" ? 0 : 3;
  lines.push(
    `| ${name} | ${old.toFixed(digits)} ${unit} | ${now.toFixed(digits)} ${unit} | ${(now / old).toFixed(3)} |`,
  );
  console.log(lines.at(-1));
};

for (const [name, row] of Object.entries(rows)) {
  if (!name.includes(flags.only)) continue;
  const least = { old: Infinity, new: Infinity };
  const rounds = Math.max(row.least ?? 0, Math.min(row.most ?? Infinity, Number(flags.rounds)));
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? ["old", "new"] : ["new", "old"];
    for (const which of order) least[which] = Math.min(least[which], await measure(row, folders[which]));
  }
  report(name, row.unit, least.old, least.new);
}
const commit = (folder) =>
  execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: folder, encoding: "utf8" }).trim();
// The new build reads ONNX text wherever it reads models, which the old one did in another folder: both have it in the rows that say so.
const text = "src/ir/text/parse.ts";
const everywhere =
  "analysis autodiff base data formats ir methods ops passes quant recipe report runtime tensor train".split(" ");
const bundles = {
  "bundle of the readers": ["src/formats/inner.ts"],
  "bundle of the readers, ONNX text in both": ["src/formats/inner.ts", text],
  "bundle of the quantizer": ["test/browser/quantizer.ts"],
  "bundle of the quantizer, ONNX text in both": ["test/browser/quantizer.ts", text],
  "bundle of every folder": everywhere.flatMap((name) => [`src/${name}/inner.ts`, `src/${name}/inner-files.ts`]),
};
/** The runner, judging and Candidates, which were parts of the command line, outside every bundle; and what is new altogether. */
const added =
  /src\/(recipe\/(run|judge-run|judged-data|scorer|candidate|score|settings|quantize-any)|quant\/lower\/(matmul-nbits|read-shipped|storage)|quant\/grids\/two-level|analysis\/metrics\/(psnr|certainty))\.ts$/;
for (const [name, entry] of Object.entries(bundles)) {
  if (!name.includes(flags.only)) continue;
  const old = await bundleBytes(folders.old, entry);
  if (flags.moved)
    report(`${name}, at ${commit(flags.moved)}`, "bytes", old, await bundleBytes(resolve(flags.moved), entry));
  if (flags.moved && entry === bundles["bundle of every folder"]) {
    const less = await bundleBytes(resolve(flags.moved), entry, added);
    report(`${name}, at ${commit(flags.moved)}, without what pages could not do before`, "bytes", old, less);
  }
  report(name, "bytes", old, await bundleBytes(folders.new, entry));
}

if (flags.only === "") {
  const head = [
    "# Old build and new build, in turn",
    "",
    `\`node bench/builds.mjs --old FOLDER\`: ${commit(folders.old)} against ${commit(folders.new)}, ${cpus()[0].model}, Node ${process.versions.node}.`,
    `Processor time on one thread, the least of ${flags.rounds} rounds in turn (12 of starts, 3 of quantizations), a process for each figure; bundles are compressed bytes without the engine.`,
    "",
    "| what | old | new | new / old |",
    "| --- | --: | --: | --: |",
  ];
  const above = [
    "",
    "What is above 1.03, and why:",
    "",
    "- *calibration, sqnr*: errors are weighed by what they do to the outputs, which costs a backward pass (docs/calibration.md); the rows with",
    "  `mse` calibrate as the old build does, and bc332ba, before that change, has 0.860 of the old time.",
    "- *bundle of the readers*: `readModel` takes every format of one table, ONNX text too; the row with the text in both compares the rest.",
    "- *bundle of every folder at the moved commit*: what a page could not do before and now can. The runner, judging and Candidates (`recipe/`)",
    "  were parts of the command line, outside every bundle; `MatMulNBits`, scales of two levels and intervals of metrics are new. The row",
    "  without them is what the structure weighs.",
    "- *bundles of today*: features since, by CHANGELOG.md.",
  ];
  writeFileSync(join(here, "bench/results/builds.md"), `${[...head, ...lines, ...above].join("\n")}\n`);
}
