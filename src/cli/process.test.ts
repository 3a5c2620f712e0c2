/** The command line as a process: streams, signals, pipes, exit codes. Needs `npm run build`, as `npm test` does first. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtCommand, type Ended, runCommand, staleBuild } from "../../test/built-command.ts";
import { type Workshop, workshop } from "../../test/command-line.ts";
import { root } from "../../test/source-files.ts";
import { Random } from "../base/inner.ts";
import { Tensor } from "../tensor/inner.ts";

const reason = staleBuild();

describe.skipIf(reason)(`the process${reason ? ` (${reason})` : ""}`, () => {
  let shop: Workshop;
  beforeAll(async () => {
    shop = await workshop();
    // Enough to calibrate for seconds, so that a signal finds it at work.
    const random = new Random(1);
    shop.npy(
      "many.npy",
      Tensor.float32(
        [20_000, 8, 6, 6],
        Float32Array.from({ length: 20_000 * 288 }, () => random.uniform(-1, 1)),
      ),
    );
  });
  afterAll(() => shop[Symbol.dispose]());

  test("--version is one line", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(await runCommand(["--version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });

  test("--json prints one document on stdout; progress goes to stderr", async () => {
    const args = ["quantize", shop.at("tiny.onnx"), "--data", shop.at("x.npy"), "-o", shop.at("out"), "--json"];
    const { code, out, err } = await runCommand(args);
    expect(code).toBe(0);
    expect(out.endsWith("}\n")).toBe(true);
    expect(JSON.parse(out).output).toBe(shop.at("out"));
    expect(err).toContain("calibrate");
    const again = await runCommand(args);
    expect([again.code, JSON.parse(again.out).error.code]).toEqual([2, "output/exists"]);
  });

  test("avocet.config.mjs of the working directory is the recipe; options and --recipe win", async () => {
    const config = shop.write("avocet.config.mjs", 'export default { $schema: "x", weights: "int4", preset: "fast" };');
    const made = async (name: string, ...more: string[]) => {
      const args = ["quantize", "tiny.onnx", "--data", "x.npy", "-o", name, "--json", ...more];
      const { code, err } = await runCommand(args, shop.folder);
      expect(code, err).toBe(0);
      expect(err.includes(`recipe: ${config}`)).toBe(!more.includes("--recipe"));
      return shop.json(name, "recipe.json");
    };
    const found = await made("found");
    expect(found).toMatchObject({ weights: "int4", preset: "fast", data: shop.at("x.npy") });
    expect(found.$schema).toBeUndefined();
    expect(await made("over", "--weights", "int8")).toMatchObject({ weights: "int8", preset: "fast" });
    shop.write("mine.json", '{ "methods": [{ "method": "dead-channels" }] }');
    const named = await made("named", "--recipe", "mine.json");
    expect([named.weights, named.methods]).toEqual([undefined, [{ method: "dead-channels" }]]);
    expect((await made("preset", "--recipe", "mine.json", "--preset", "fast")).methods).toBeUndefined();
    rmSync(config);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("%s in the middle: exit 130, nothing half-written", async (signal) => {
    const before = shop.listing();
    const args = [
      "quantize",
      shop.at("tiny.onnx"),
      "--data",
      shop.at("many.npy"),
      "--samples",
      "20000",
      "-o",
      shop.at("never"),
      "--json",
    ];
    const ended = await new Promise<Ended>((resolve) => {
      const child = spawn(process.execPath, [builtCommand, ...args]);
      let [out, err, sent] = ["", "", false];
      child.stdout.on("data", (text) => {
        out += text;
      });
      child.stderr.on("data", (text) => {
        err += text;
        if (sent || !err.includes("calibrate")) return;
        sent = true;
        // The folder is being built next to its place at this moment.
        expect(shop.listing().length).toBeGreaterThan(before.length);
        child.kill(signal);
      });
      child.on("close", (code) => resolve({ code, out, err }));
    });
    expect(ended.code).toBe(130);
    expect(JSON.parse(ended.out).error.code).toBe("abort/interrupted");
    expect(shop.listing()).toEqual(before);
  });

  test("a reader that goes away is no error", async () => {
    const code = await new Promise<number | null>((resolve) => {
      const child = spawn(process.execPath, [builtCommand, "inspect", shop.at("tiny.onnx"), "--json"], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      child.stdout.destroy();
      child.on("close", resolve);
    });
    expect(code).toBe(0);
  });

  test("a listener of progress that goes away does not stop the work", async () => {
    const code = await new Promise<number | null>((resolve) => {
      const args = ["quantize", shop.at("tiny.onnx"), "--data", shop.at("x.npy"), "-o", shop.at("deaf")];
      const child = spawn(process.execPath, [builtCommand, ...args], { stdio: ["ignore", "pipe", "pipe"] });
      child.stderr.destroy();
      child.stdout.resume();
      child.on("close", resolve);
    });
    expect(code).toBe(0);
    expect(existsSync(shop.at("deaf", "model.onnx"))).toBe(true);
  });
});
