/** Every command of the README and the documents runs as it is written, on the project's own example. */
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { networkInputs, pictureLabels } from "../examples/pictures/dataset.mjs";
import { preprocess } from "../examples/pictures/network.mjs";
import { writePngs } from "../examples/pictures/write.mjs";
import { parseDecoding } from "../src/analysis/inner-files.ts";
import { parsePreprocess, writeNpy } from "../src/data/inner-files.ts";
import { parseTarget, readStatistics } from "../src/quant/inner-files.ts";
import { parseRecipe } from "../src/recipe/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";
import { avocet } from "./command-line.ts";
import { blocks, fencedCommands, inlineCommands, wordsOf } from "./document-blocks.ts";
import { writeForeignModels, writeSamplesOf } from "./document-files.ts";
import { root } from "./source-files.ts";

/** How a command that would take long is cut down, and why. What is not here runs as it stands. */
const cutDown: readonly { readonly command: RegExp; readonly more: readonly string[]; readonly reason: string }[] = [
  {
    command: /^avocet train /,
    more: ["--epochs", "1", "--samples", "first:8", "--preset", "fast"],
    reason: "four epochs of an example's two dozen pictures prove no more than one",
  },
  {
    command: /^avocet (import|export) /,
    more: ["--force"],
    reason: "float.onnx of another command lies there",
  },
  {
    command: /^avocet quantize /,
    more: ["--samples", "first:8"],
    reason: "calibration on eight pictures runs the same code as on all",
  },
];

/** What is not run: it must exist, and its files must parse. */
const onlyChecked: readonly { readonly command: RegExp; readonly reason: string }[] = [
  { command: /^git clone /, reason: "needs the network" },
  { command: /^npm (ci|install)\b/, reason: "needs the registry" },
  { command: /^npm (run|test)\b/, reason: "builds, or runs this very suite; test/demo.test.ts runs the demo" },
  { command: /^npx vitest /, reason: "is this suite" },
  {
    command: /^node (bench|examples)\//,
    reason: "measures for minutes; test/demo.test.ts and package.test.ts run the short ones",
  },
  {
    command: /^avocet (weights|\w+ (model\.pt2|weights\.pth))/,
    reason: "src/cli/weights.test.ts and src/formats/pytorch run them on files that PyTorch wrote",
  },
  { command: /^avocet help COMMAND$/, reason: "a form, not a command" },
  {
    command: /^avocet (evaluate|quantize|convert) .*(wiki\.txt|valid\.npy|folder\/config\.json)/,
    reason:
      "needs a language model of some size, its text and the optional tokenizer; src/cli/tokens.test.ts runs small ones",
  },
];

/** What the capitals of the README's table stand for. */
const placeholders: Readonly<Record<string, string>> = {
  MODEL: "model.onnx",
  OTHER: "quantized/model.onnx",
  DATA: "x.npy",
  LABELS: "y.npy",
  DIR: "quantized",
  "DIR...": "quantized",
  VALUE: "logits",
  FILE: "made.onnx",
  SOURCE: "quantized/model.onnx",
  STEPS: "4",
  "DIR/model.onnx": "compressed/model.onnx",
  "DIR/sensitivity.json": "compressed/sensitivity.json",
};

let folder: string;
const home = process.cwd();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "avocet-documents-"));
  const at = (...names: string[]) => join(folder, ...names);
  copyFileSync(join(root, "examples/models/pictures.onnx"), at("model.onnx"));
  // The page's own preprocessing is that of ImageNet's networks; its form is checked below.
  writeFileSync(at("preprocess.json"), JSON.stringify(preprocess));
  writePngs(folder, "calibration", 24);
  for (const name of ["images", "validation", "train", "test"]) {
    if (name !== "calibration") cpSync(at("calibration"), at(name), { recursive: true });
  }
  const labels = pictureLabels("calibration", 24);
  // Files of class folders are read class by class.
  const sorted = [...labels].sort((a, b) => a - b);
  for (const name of ["labels.txt", "test-labels.txt"]) writeFileSync(at(name), `${sorted.join("\n")}\n`);
  const images = [...networkInputs("calibration", 24)].map(({ image }) => image.floats());
  const side = Math.sqrt(images[0]!.length / 3);
  const all = Float32Array.from(images.flatMap((image) => [...image]));
  writeFileSync(at("x.npy"), writeNpy(Tensor.float32([24, 3, side, side], all)));
  writeFileSync(at("y.npy"), writeNpy(Tensor.of("uint8", [24], labels)));
  writeForeignModels(folder);
  process.chdir(folder);
  const made = await avocet([
    "quantize",
    "model.onnx",
    "--data",
    "x.npy",
    "-o",
    "quantized",
    "--preset",
    "fast",
    "--quiet",
  ]);
  expect(made.code, made.err).toBe(0);
  const small = await avocet([
    "compress",
    "model.onnx",
    "--data",
    "x.npy",
    "--target-macs",
    "0.5",
    "-o",
    "compressed",
    "--quiet",
  ]);
  expect(small.code, small.err).toBe(0);
});

afterAll(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

const isOnlyChecked = (line: string) =>
  onlyChecked.some(({ command }) => command.test(line.replace(/^(?:[A-Z_]+=\S+ )+/, "")));

/** Runs a command of a page; its output folder is its own. */
async function run(line: string): Promise<void> {
  const words = wordsOf(line.replace(/\[[^\]]*\]/g, ""))
    .slice(1)
    .map((word) => placeholders[word] ?? word);
  const output = words.indexOf("-o") + 1;
  if (output > 0) words[output] = join("out", words[output]!.replace(/\/$/, ""));
  mkdirSync("out", { recursive: true });
  rmSync(words[output] ?? "", { recursive: true, force: true });
  const { more = [] } = cutDown.find(({ command }) => command.test(line)) ?? {};
  const known = more.filter((_, i) => !words.includes(more[i - (i % 2)]!));
  const takesThreads = /^(quantize|train|evaluate|compare|verify|run)$/.test(words[0]!);
  const outcome = await avocet([...words, ...known, ...(takesThreads ? ["--threads", "1"] : [])]);
  expect(outcome.code, `${line}\n${outcome.err}`).toBe(0);
  if (output > 0) expect(existsSync(words[output]!), line).toBe(true);
}

const unique = (commands: readonly { readonly line: string; readonly document: string }[]) =>
  [...new Map(commands.map((command) => [command.line, command])).values()].filter(({ line }) => !isOnlyChecked(line));

describe("commands in blocks run", () => {
  test.each(unique(fencedCommands()))("$document: $line", async ({ line, document }) => {
    writeSamplesOf(document, folder);
    await run(line);
  });
});

describe("commands between backticks run, or are the name of one", () => {
  test.each(unique(inlineCommands()).filter(({ line }) => line !== "avocet"))("$document: $line", async ({ line }) => {
    const words = wordsOf(line);
    if (words[0] !== "avocet") throw new Error(`a test says what becomes of "${line}"`);
    const form = /[A-Z]{3,}|^avocet (doctor|--version|help )/.test(line);
    if (form) return await run(line);
    // A name in running text, perhaps with an option: both must exist.
    const help = await avocet(["help", words[1]!]);
    expect(help.code, help.err).toBe(0);
    for (const option of words.filter((word) => word.startsWith("--"))) expect(help.out).toContain(option);
  });
});

describe("what is not run exists", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  test.each([...fencedCommands(), ...inlineCommands()].filter(({ line }) => isOnlyChecked(line)))(
    "$document: $line",
    ({ line }) => {
      const [program, first, second] = wordsOf(line);
      if (program === "npm" && first === "run") expect(Object.keys(scripts)).toContain(second);
      if (program === "npx") {
        const path = wordsOf(line).find((word) => word.includes("/"));
        if (path) expect(existsSync(join(root, path))).toBe(true);
      }
      if (program !== "node") return;
      const parsed = spawnSync(process.execPath, ["--check", join(root, first!)], { encoding: "utf8" });
      expect(parsed.status, parsed.stderr).toBe(0);
      const source = readFileSync(join(root, first!), "utf8");
      for (const option of wordsOf(line).filter((word) => word.startsWith("--")))
        expect(source).toContain(option.slice(2));
    },
  );
});

describe("JSON in blocks is what it is said to be", () => {
  const found = blocks().filter(({ language }) => language === "json");
  const parts = found.flatMap(({ document, text }) =>
    // One document, or one a line.
    (isJson(text) ? [text] : text.trim().split("\n")).map((json) => ({ document, json })),
  );
  test.each(parts)("$document: $json", ({ document, json }) => {
    const value = JSON.parse(json);
    if (document.endsWith("data.md") || document === "README.md") expect(() => parsePreprocess(value)).not.toThrow();
    else if (document.endsWith("judging.md")) expect(() => parseDecoding(value, document)).not.toThrow();
    else if (document.endsWith("calibration.md")) expect(() => readStatistics(json, document)).not.toThrow();
    else if (document.endsWith("targets.md")) expect(() => parseTarget(value, document)).not.toThrow();
    else expect(() => parseRecipe(value)).not.toThrow();
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test("npm finds nothing to warn of in this project", () => {
  const told = spawnSync("npm", ["pkg", "get", "name"], { cwd: root, encoding: "utf8" });
  expect([told.status, told.stdout.trim(), told.stderr.trim()]).toEqual([0, '"avocet"', ""]);
});
