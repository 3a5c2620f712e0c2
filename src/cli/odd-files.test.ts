/** Pipes, devices, folders and links in the place of every file that a command reads or writes: a code, and nothing is touched. */
import { execFileSync } from "node:child_process";
import { linkSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, truncateSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, type Workshop, workshop } from "../../test/command-line.ts";
import { parseModel } from "../ir/inner.ts";

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
  await shop.model("zero.onnx", parseModel('<ir_version: 10, opset_import: ["" : 21]> f (float[0,8,6,6] x) => (float[0,8,6,6] y) { y = Neg(x) }')); // biome-ignore format: a text
  await avocet(["quantize", shop.at("tiny.onnx"), "--data", shop.at("x.npy"), "-o", shop.at("made"), "--quiet", "--preset", "fast"]); // biome-ignore format: a command
  for (const name of ["pipe", "pipe.npy", "pipe.json", "pipe.mjs", "pipe.onnxtxt"])
    execFileSync("mkfifo", [shop.at(name)]);
  mkdirSync(shop.at("folder"));
  symlinkSync(shop.at("nowhere"), shop.at("dangling"));
  symlinkSync("circle", shop.at("circle"));
  truncateSync(shop.write("zeros.onnx", ""), 1.9e9);
  truncateSync(shop.write("long.json", ""), 3e9);
  truncateSync(shop.write("long.onnxtxt", ""), 3e9);
}, 60_000);
afterAll(() => shop[Symbol.dispose]());

const here = (args: readonly string[]) => args.map((arg) => arg.replaceAll("$", shop.folder));
/** Everything with its kind and size: what must be as before. */
const state = () =>
  shop.listing().map((name) => {
    const found = lstatSync(shop.at(name));
    return `${name} ${found.mode} ${found.size} ${found.isSymbolicLink() ? readlinkSync(shop.at(name)) : found.ino}`;
  });

async function expectCode(args: readonly string[], codes: RegExp): Promise<void> {
  const before = state();
  const start = performance.now();
  const { code, out } = await avocet([...here(args), "--json"]);
  const json = JSON.parse(out);
  expect(json.error?.code, JSON.stringify(json)).toMatch(codes);
  expect(code).toBeGreaterThan(0);
  expect(performance.now() - start).toBeLessThan(5000);
  expect(state()).toEqual(before);
}

const quantize = ["quantize", "$/tiny.onnx", "--data", "$/x.npy", "-o", "$/out", "--preset", "fast"];
/** Every option that names a file that is read, with a command that reads it. */
const reads: Record<string, (path: string) => string[]> = {
  model: (path) => ["inspect", path],
  "model to quantize": (path) => ["quantize", path, "--data", "$/x.npy", "-o", "$/out"],
  "model to optimize": (path) => ["optimize", path, "-o", "$/out.onnx"],
  "model as text": (path) => ["convert", path, "-o", "$/out.onnx"],
  "other model": (path) => ["diff", "$/tiny.onnx", path],
  data: (path) => ["run", "$/tiny.onnx", "--data", path],
  "data that judges": (path) => [...quantize, "--evaluate", path],
  labels: (path) => ["evaluate", "$/tiny.onnx", "--data", "$/x.npy", "--labels", path],
  classes: (path) => ["evaluate", "$/tiny.onnx", "--data", "$/x.npy", "--labels", "$/y.npy", "--classes", path],
  preprocess: (path) => ["run", "$/tiny.onnx", "--data", "$/x.npy", "--preprocess", path],
  recipe: (path) => [...quantize, "--recipe", path],
  target: (path) => [...quantize, "--target", path],
  "target of a plan": (path) => ["plan", "$/tiny.onnx", "--target", path],
  "folder of quantize": (path) => ["verify", path],
  "folder to report": (path) => ["report", path, "-o", "$/page.html"],
  "folder to export": (path) => ["export", path, "-o", "$/out.encodings"],
};
const odd = ["$/pipe", "$/pipe.npy", "$/pipe.json", "$/pipe.mjs", "$/pipe.onnxtxt", "$/folder", "$/dangling", "$/circle", "/dev/zero", "/dev/null", "$/long.json", "$/zeros.onnx"]; // biome-ignore format: a list

describe.skipIf(process.platform === "win32")("reading", () => {
  const cases = Object.keys(reads).flatMap((option) => odd.map((path) => [option, path] as const));
  test.each(cases)("as %s: %s", async (option, path) => {
    await expectCode(reads[option]!(path), /^(import|data|usage|target|recipe|text)\/[a-z-]+$/);
  });

  test("1.9 GB of zeros are known by their first bytes", async () => {
    const before = process.memoryUsage().rss;
    await expectCode(["inspect", "$/zeros.onnx"], /^import\/unknown-format$/);
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6);
  });

  test("a text beyond all limits says so", () =>
    expectCode(["convert", "$/long.onnxtxt", "-o", "$/out.onnx"], /^import\/too-large$/));

  test("a batch of none", () => expectCode(["run", "$/zero.onnx", "--data", "$/x.npy"], /^data\/wrong-shape$/));
});

/** Every command that writes, with its output last. */
const writes: Record<string, string[]> = {
  quantize: ["quantize", "$/tiny.onnx", "--data", "$/x.npy", "--preset", "fast", "-o"],
  train: ["train", "$/tiny.onnx", "--data", "$/x.npy", "--epochs", "1", "--preset", "fast", "-o"],
  optimize: ["optimize", "$/tiny.onnx", "-o"],
  upgrade: ["upgrade", "$/tiny.onnx", "-o"],
  convert: ["convert", "$/tiny.onnx", "--external", "always", "-o"],
  extract: ["extract", "$/tiny.onnx", "-o"],
  print: ["print", "$/tiny.onnx", "-o"],
  run: ["run", "$/tiny.onnx", "--data", "$/x.npy", "-o"],
  plan: ["plan", "$/tiny.onnx", "-o"],
  export: ["export", "$/made", "-o"],
  report: ["report", "$/made", "-o"],
};
const names = Object.keys(writes);

describe.skipIf(process.platform === "win32")("writing", () => {
  const places = ["$/pipe", "$/dangling", "$/circle", "/dev/null", "$/tiny.onnx/inside", "/proc/nowhere/x", "/sys/x", "", "/", `$/${"n".repeat(256)}`]; // biome-ignore format: a list
  const cases = names.flatMap((command) => places.map((place) => [command, place] as const));
  test.each(cases)("%s to %s, with --force too", async (command, place) => {
    await expectCode(
      [...writes[command]!, place],
      /^(output\/(exists|not-writable|not-ours|is-input)|usage\/bad-value)$/,
    );
    await expectCode(
      [...writes[command]!, place, "--force"],
      /^(output\/(not-writable|not-ours|is-input)|usage\/bad-value)$/,
    );
  });

  /** What each command reads, by names of all kinds. */
  const inputs = (command: string) => {
    if (command === "export" || command === "report") return ["made/report.json", "made/plan.json", "made/model.onnx"];
    return ["quantize", "train", "run"].includes(command) ? ["tiny.onnx", "x.npy"] : ["tiny.onnx"];
  };
  const own = names.flatMap((command) => inputs(command).map((input) => [command, input] as const));
  test.each(own)("%s over its own input %s, by its name, a link and a hard link", async (command, input) => {
    const [link, hard] = [`${command}-link`, `${command}-hard`];
    const suffix = input.replace("/", "-");
    symlinkSync(shop.at(input), shop.at(`${link}-${suffix}`));
    linkSync(shop.at(input), shop.at(`${hard}-${suffix}`));
    const before = readFileSync(shop.at(input));
    for (const path of [`$/${input}`, `$/folder/../${input}`, `$/${link}-${suffix}`, `$/${hard}-${suffix}`]) {
      await expectCode([...writes[command]!, path, "--force"], /^output\/is-input$/);
    }
    expect(readFileSync(shop.at(input)).equals(before)).toBe(true);
  });

  test.each(names)("%s over a stranger's file, with --force", async (command) => {
    shop.write("stranger.txt", "mine, and of no kind that a command writes");
    await expectCode([...writes[command]!, "$/stranger.txt", "--force"], /^output\/not-ours$/);
  });

  test.each(["quantize", "train"])("%s into its own data, and over a folder that holds it", async (command) => {
    mkdirSync(shop.at(`${command}-set`));
    linkSync(shop.at("x.npy"), shop.at(`${command}-set`, "x.npy"));
    const args = (output: string) => [
      ...writes[command]!.map((arg) => arg.replace("$/x.npy", `$/${command}-set/x.npy`)),
      output,
      "--force",
    ];
    await expectCode(args(`$/${command}-set`), /^output\/is-input$/);
    await expectCode(args("$"), /^output\/is-input$/);
  });
});
