/** Inputs that change while a command works: it is told, and what mixes old and new is not written. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Workshop, workshop } from "../../test/command-line.ts";
import { writeNpy } from "../data/inner-files.ts";
import { readModelFile, writeModelFile } from "../formats/inner-node.ts";
import { Tensor } from "../tensor/inner.ts";
import { main } from "./program.ts";

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
  mkdirSync(shop.at("case"));
});
afterAll(() => shop[Symbol.dispose]());

/** Runs a command in a fresh folder of inputs, and lets something happen when it says for the first time that it works. */
async function during(
  command: string,
  step: RegExp,
  happens: (at: (name: string) => string) => void,
  ...more: string[]
) {
  const at = (name: string) => shop.at("case", name);
  rmSync(shop.at("case"), { recursive: true });
  mkdirSync(shop.at("case"));
  for (const name of ["x.npy", "y.npy"]) cpSync(shop.at(name), at(name));
  writeModelFile(readModelFile(shop.at("tiny.onnx")), at("m.onnx"), { externalData: "always" });
  let [out, err, happened] = ["", "", false];
  const code = await main(
    [
      command,
      at("m.onnx"),
      "--data",
      at("x.npy"),
      "-o",
      at("out"),
      "--preset",
      "fast",
      "--threads",
      "1",
      "--json",
      ...more,
    ],
    {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
        if (happened || !step.test(err)) return;
        happened = true;
        happens(at);
      },
      interactive: false,
      color: false,
      signal: new AbortController().signal,
      env: {},
    },
  );
  expect(happened, err).toBe(true);
  return { code, json: JSON.parse(out), err, at };
}

const weights = (at: (name: string) => string) => {
  const model = readModelFile(at("m.onnx"));
  const names = [...model.graph.initializers].flatMap(({ initializer }) => (initializer ? [initializer] : []));
  expect(names.length).toBeGreaterThan(0);
  return readFileSync(at("m.onnx"))
    .toString("latin1")
    .match(/m\.onnx\.[0-9a-f]{16}\.data/)![0];
};
const changes: Record<string, (at: (name: string) => string) => void> = {
  "the model is written anew": (at) => writeFileSync(at("m.onnx"), readFileSync(shop.at("tiny.onnx"))),
  "the model is removed": (at) => rmSync(at("m.onnx")),
  "its weights are replaced by as many bytes": (at) =>
    writeFileSync(at(weights(at)), new Uint8Array(readFileSync(at(weights(at))).length)),
  "its weights are removed": (at) => rmSync(at(weights(at))),
  "the data is replaced": (at) =>
    writeFileSync(at("x.npy"), writeNpy(Tensor.float32([40, 8, 6, 6], new Float32Array(40 * 288)))),
  "the data is removed": (at) => rmSync(at("x.npy")),
  "the labels are replaced": (at) => writeFileSync(at("y.npy"), writeNpy(Tensor.of("uint8", [40], new Uint8Array(40)))),
};

test.each(Object.entries(changes))("quantize: %s during calibration", async (_, happens) => {
  const judged = ["--evaluate", shop.at("case", "x.npy"), "--labels", shop.at("case", "y.npy")];
  const { code, json, err, at } = await during("quantize", /calibrate/, happens, ...judged);
  expect(code).toBe(1);
  expect(json.error.code, err).toMatch(/^(import\/(changed|truncated|not-found)|data\/(unreadable|not-found))$/);
  expect(existsSync(at("out"))).toBe(false);
});

test("train: the data is replaced between epochs", async () => {
  const { code, json, at } = await during("train", /train/, changes["the data is replaced"]!, "--epochs", "2");
  expect([code, json.error.code]).toEqual([1, "import/changed"]);
  expect(existsSync(at("out"))).toBe(false);
});

test("what changes while it is judged leaves the finished folder, without a judgement", async () => {
  const { code, json, at } = await during(
    "quantize",
    /verify|agree|kernels|latency|compare/,
    changes["the model is written anew"]!,
  );
  expect([code, json.error.code]).toEqual([1, "import/changed"]);
  expect(existsSync(at("out/model.onnx"))).toBe(true);
});
