/** `quantize` killed in the middle of AdaRound, `train` between epochs, and resumed: the bytes of a run that nobody disturbed. Needs the build. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { builtCommand, type Ended, staleBuild } from "../../test/built-command.ts";
import { avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { parseModel } from "../ir/inner.ts";

const layers = 6;
const convolution = (i: number) =>
  `[conv${i}] c${i} = Conv <pads = [1,1,1,1]> (${i === 0 ? "x" : `r${i - 1}`}, w${i}, b${i}) r${i} = Relu(c${i})`;
const each = (text: (i: number) => string, between: string) => Array.from({ length: layers }, (_, i) => text(i)).join(between); // biome-ignore format: a line
const text = `<ir_version: 10, opset_import: ["" : 21]>
  deep (float[N,8,6,6] x) => (float[N,5] y)
  <${each((i) => `float[16,${i === 0 ? 8 : 16},3,3] w${i}, float[16] b${i}`, ", ")}, float[5,16] w> {
    ${each(convolution, "\n    ")}
    p = GlobalAveragePool(r${layers - 1})
    f = Flatten(p)
    y = Gemm <transB = 1> (f, w) }`;

const reason = staleBuild();

describe.skipIf(reason)(`resuming${reason ? ` (${reason})` : ""}`, () => {
  let shop: Workshop;
  const run = (command: string, options: string[]) => (name: string, ...more: string[]) => [command, shop.at("deep.onnx"), "--data", shop.at("x.npy"), ...options, "--threads", "1", "-o", shop.at(name), "--json", ...more]; // biome-ignore format: options
  const quantize = run("quantize", ["--method", "adaround:iterations=1500"]);
  const train = run("train", ["--preset", "fast", "--weights", "int4", "--epochs", "40"]);
  const shipped = (name: string) =>
    ["model.onnx", "plan.json", "model.encodings"].map((file) => readFileSync(shop.at(name, file)).toString("base64"));
  const checkpoint = (name: string) => shop.at(`.${name}.avocet-checkpoint`);
  const finished = (name: string) =>
    existsSync(checkpoint(name)) ? readdirSync(checkpoint(name)).filter((file) => file.endsWith(".bin")).length : 0;

  /** Starts the command, and sends the signal once so many things (the calibration, layers) are kept. */
  function killed(name: string, signal: "SIGKILL" | "SIGINT", after: number, args = quantize): Promise<Ended> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [builtCommand, ...args(name)]);
      let [out, err] = ["", ""];
      child.stdout.on("data", (text) => {
        out += text;
      });
      child.stderr.on("data", (text) => {
        err += text;
      });
      const watch = setInterval(() => {
        if (finished(name) < after) return;
        // Once: a second Ctrl-C does not wait for a clean end.
        clearInterval(watch);
        child.kill(signal);
      }, 5);
      child.on("close", (code) => {
        clearInterval(watch);
        resolve({ code, out, err });
      });
    });
  }

  beforeAll(async () => {
    shop = await workshop();
    await shop.model("deep.onnx", parseModel(text, { seed: 6 }));
    for (const args of [quantize("whole"), train("trained")]) {
      // Without anything to resume it begins anew, and says so.
      const { code, err } = await avocetJson([...args, "--resume"]);
      expect(code, err).toBe(0);
      expect(err).toContain("beginning again");
    }
  }, 60_000);
  afterAll(() => shop[Symbol.dispose]());

  test.each([
    ["quantize", "SIGKILL", null, 3, quantize, "whole"],
    ["quantize", "SIGINT", 130, 4, quantize, "whole"],
    // The calibration, and the state behind the last epoch, which each epoch writes again.
    ["train", "SIGKILL", null, 2, train, "trained"],
    ["train", "SIGINT", 130, 2, train, "trained"],
  ] as const)(
    "%s, %s: nothing at the output's place, and --resume ends with the same bytes",
    async (command, signal, code, after, args, undisturbed) => {
      const name = `${command}-${signal}`;
      const stopped = await killed(name, signal, after, args);
      expect(stopped.code).toBe(code);
      expect(existsSync(shop.at(name))).toBe(false);
      const kept = finished(name);
      expect(kept).toBeGreaterThanOrEqual(after);
      expect(kept).toBeLessThan(layers + 3);
      if (signal === "SIGINT") expect(stopped.err).toContain("the same command with --resume goes on from there");

      const resumed = await avocetJson(args(name, "--resume"));
      expect(resumed.code, resumed.err).toBe(0);
      expect(resumed.err).toContain("going on with the interrupted run");
      expect(shipped(name)).toEqual(shipped(undisturbed));
      expect(shop.listing().filter((name) => name.startsWith("."))).toEqual([]);
    },
  );

  test("another recipe is refused with what differs; without --resume the leftover is replaced, and said so", async () => {
    await killed("other", "SIGKILL", 2);
    const refused = await avocetJson(quantize("other", "--resume", "--seed", "1"));
    expect([refused.code, refused.json.error.code]).toEqual([2, "resume/other-run"]);
    expect(refused.json.error.message).toContain("got another recipe");
    expect(finished("other")).toBeGreaterThanOrEqual(2);
    const anew = await avocetJson(quantize("other"));
    expect(anew.err).toContain("will be replaced: --resume would go on with it");
    expect(shipped("other")).toEqual(shipped("whole"));
    expect(shop.listing().filter((name) => name.startsWith("."))).toEqual([]);
  });
});
