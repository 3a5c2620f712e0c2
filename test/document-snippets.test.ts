/** The JavaScript of the documents runs as it is written, on the project's own example. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { networkInputs, pictureLabels } from "../examples/pictures/dataset.mjs";
import { writePngs } from "../examples/pictures/write.mjs";
import { classLabels, fromTensors } from "../src/data/inner.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import { parseModel } from "../src/ir/inner.ts";
import { normalise } from "../src/passes/inner.ts";
import { parseRecipe } from "../src/recipe/inner.ts";
import { openRuntime, type Session, traceShapes } from "../src/runtime/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";
import { type Block, blocks } from "./document-blocks.ts";
import { root } from "./source-files.ts";

const samples = 24;
const snippets = blocks().filter(({ language }) => language === "js" || language === "ts");

/** Snippets whose imports are checked and whose syntax is, but that are not run, by a line of theirs. */
const notRun: readonly { readonly has: string; readonly reason: string }[] = [
  { has: 'fetch("model.onnx")', reason: "is of a browser; test/browser.test.ts runs the same there" },
  { has: "await train(trainer", reason: "trains twenty epochs; src/train/train.test.ts trains with the same calls" },
];

let folder: string;
let session: Session;
/** The names that snippets take as given: what a reader has at hand. */
let given: Record<string, unknown>;
const home = process.cwd();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "avocet-snippets-"));
  copyFileSync(join(root, "examples/models/pictures.onnx"), join(folder, "model.onnx"));
  writePngs(folder, "calibration", samples);
  process.chdir(folder);
  vi.spyOn(console, "log").mockImplementation(() => {});
  const runtime = await openRuntime();
  const model = readModelFile("model.onnx");
  const images = [...networkInputs("calibration", samples)].map(({ image }) => image.floats());
  const side = Math.sqrt(images[0]!.length / 3);
  const calibrationImages = Tensor.float32([samples, 3, side, side], Float32Array.from(images.flatMap((x) => [...x])));
  session = await runtime.open(model);
  const small = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[2,4] input) => (float loss) <float[4,3] "conv1.weight"> {
      h = MatMul(input, "conv1.weight")  s = Sigmoid(h)  loss = ReduceSum <keepdims = 0> (s) }`,
    { seed: 1 },
  );
  const normalised = readModelFile("model.onnx");
  await normalise(normalised, { runtime });
  given = {
    model,
    runtime,
    session,
    calibrationImages,
    data: fromTensors({ image: calibrationImages }),
    labels: classLabels(pictureLabels("calibration", samples), "labels"),
    recipe: parseRecipe({ preset: "fast" }),
    sha256: "0".repeat(64),
    pixels: new Float32Array(100 * 3 * 32 * 32),
    myGenerator: () => [{ image: calibrationImages }],
    feeds: { input: Tensor.float32([2, 4], new Float32Array(8).fill(0.5)) },
    small,
    types: await traceShapes(small, runtime, { input: Tensor.float32([2, 4], new Float32Array(8)) }),
    node: [...normalised.graph.nodes][0],
    text: snippetWith("BatchNormalization(c, gamma").text,
  };
});
afterAll(async () => {
  vi.restoreAllMocks();
  await session[Symbol.asyncDispose]();
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

function snippetWith(part: string): Block {
  return blocks().find(({ text }) => text.includes(part))!;
}

/** What a snippet means by a name that others use for something else. */
const instead: readonly { readonly has: string; readonly names: Readonly<Record<string, string>> }[] = [
  { has: "gradientModel(model", names: { model: "small" } },
];

/** How a snippet is cut down to the example, and why. */
const cutDown: readonly { readonly from: string | RegExp; readonly to: string; readonly reason: string }[] = [
  { from: '"photos?every=5"', to: '"calibration?every=5"', reason: "the folder of the example" },
  {
    from: "{ resize: { short: 256 }, crop: 224 }",
    to: '{ resize: { short: 48 }, crop: 48, scale: "1/255" }',
    reason: "the size of the example",
  },
  { from: "samples(data, 200)", to: "samples(data, 4)", reason: "the count of the example" },
  { from: "epochs: 8,", to: "epochs: 1,", reason: "eight epochs prove no more" },
  { from: "parseRecipe({})", to: 'parseRecipe({ preset: "fast" })', reason: "the same code, in less time" },
];

const importing = /^import (?:type )?\{([^}]*)\} from "([^"]+)";$/gm;

/** The module behind a name of this package. */
async function moduleOf(name: string): Promise<Record<string, unknown>> {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const target = exports[`.${name.slice("avocet".length)}`]?.default as string | undefined;
  if (!target) throw new Error(`${name} is no entry of this package`);
  return await import(/* @vite-ignore */ join(root, target.replace("./dist/", "src/").replace(/\.js$/, ".ts")));
}

test.each(snippets.map((snippet) => [snippet.document, snippet.text.split("\n")[0], snippet] as const))(
  "%s: %s",
  async (_, __, { text }) => {
    const imported: Record<string, unknown> = {};
    for (const [, names = "", from = ""] of text.matchAll(importing)) {
      const module = await moduleOf(from);
      const types = readFileSync(join(root, "test/public-api.txt"), "utf8");
      for (const name of names.split(",").map((one) => one.trim())) {
        const plain = name.replace(/^type /, "");
        expect(plain !== name ? types : Object.keys(module), `${plain} of ${from}`).toContain(plain);
        if (plain === name) imported[name] = module[name];
      }
    }
    // Other snippets of one page go on where its first imported something.
    for (const name of ["parseModel", "openRuntime", "quantizeModel", "parseRecipe"]) {
      if (imported[name] !== undefined) continue;
      imported[name] = (await moduleOf("avocet"))[name];
    }
    let body = text
      .replace(importing, "")
      .replace(/^export default /gm, "return ")
      .replace(/^export /gm, "");
    body = body.replace(/<string, GradientRow>/g, "");
    for (const { from, to } of cutDown) body = body.replaceAll(from, to);
    const names = { ...given, ...imported };
    for (const { has, names: others } of instead)
      if (text.includes(has)) for (const [name, other] of Object.entries(others)) names[name] = given[other];
    const own = new Set(
      [...body.matchAll(/^const (?:\{([^}]*)\}|(\w+))/gm)].flatMap(([, many, one]) => (many ?? one!).split(/[\s,]+/)),
    );
    const parameters = Object.keys(names).filter((name) => !own.has(name));
    // biome-ignore lint/complexity/useArrowFunction: only a function has the constructor
    const AsyncFunction = async function () {}.constructor as new (
      ...parts: string[]
    ) => (...args: unknown[]) => Promise<unknown>;
    const run = new AsyncFunction(...parameters, body);
    if (notRun.some(({ has }) => text.includes(has))) return;
    await run(...parameters.map((name) => names[name]));
  },
);
