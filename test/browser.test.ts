/** The bundled example quantized inside a real browser tab, from bytes to bytes, by the library that Node runs. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page as Tab } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRuntime, readModel } from "../src/index.ts";
import { bundleForBrowser } from "./browser/bundle.ts";
import { launchChromium } from "./browser/chromium.ts";
import type { Page } from "./browser/page.ts";
import { type QuantizedPictures, quantizePictures, scorePictures } from "./browser/pictures.ts";
import { serve } from "./browser/serve.ts";
import { root } from "./source-files.ts";

const browser = await launchChromium();

describe("in headless Chromium", () => {
  if ("because" in browser) return void test.skip(browser.because, () => {});
  const counts = { calibration: 60, test: 12 };
  const model = readFileSync(join(root, "examples/models/pictures.onnx"));
  let tab: Tab;
  let here: QuantizedPictures;
  let there: Awaited<ReturnType<Page["quantize"]>>;
  let scores: number[][];
  let server: Awaited<ReturnType<typeof serve>>;

  beforeAll(async () => {
    const { files } = await bundleForBrowser("test/browser/page.ts");
    const engine = dirname(fileURLToPath(import.meta.resolve("onnxruntime-web")));
    const script = [...files.keys()][0];
    const served = new Map<string, string | Uint8Array>([...files].map(([name, code]) => [`/${name}`, code]));
    served.set("/", `<!doctype html><title>Avocet</title><script type="module" src="/${script}"></script>`);
    served.set("/pictures.onnx", model);
    server = await serve(served, { "/engine/": engine });
    tab = await browser.newPage();
    await tab.goto(server.url);
    await tab.waitForFunction("globalThis.page");
    here = await quantizePictures(await openRuntime(), model, counts.calibration);
    scores = await scorePictures(await openRuntime(), here.bytes, counts.test);
    there = await tab.evaluate((count) => window.page.quantize("/pictures.onnx", count), counts.calibration);
  }, 120_000);
  afterAll(async () => {
    await browser.close();
    await server?.[Symbol.asyncDispose]();
  });

  test("the encodings are those of Node", () => {
    expect(there.encodings.map(({ value }) => value)).toEqual(here.encodings.map(({ value }) => value));
    for (const [i, ours] of here.encodings.entries()) {
      const theirs = there.encodings[i]!;
      for (const [k, scale] of ours.scale.entries()) {
        const range = scale * ours.steps;
        // Kernels of WebAssembly add in another order than those of the CPU.
        expect(Math.abs(theirs.scale[k]! * ours.steps - range), ours.value).toBeLessThanOrEqual(1e-5 * range);
      }
      expect(theirs.offset, ours.value).toEqual(ours.offset);
    }
  });

  test("the file holds the same graph, and Node runs it with the same results", async () => {
    const bytes = Uint8Array.from(await tab.evaluate(() => window.page.shipped()));
    const operators = (file: Uint8Array) => [...readModel(file).graph.nodes].map(({ op }) => op);
    expect(operators(bytes)).toEqual(operators(here.bytes));
    // Encodings 1e-5 apart may move a few integers by one step.
    expectClose(await scorePictures(await openRuntime(), bytes, counts.test), 0.01);
  });

  test("the file runs there on WebAssembly", async () => {
    // The first layer is float and adds in another order: a few values fall to the other side of a rounding tie.
    expectClose(await tab.evaluate((count) => window.page.score("wasm", count), counts.test), 0.02);
  });

  test("the file runs there on WebGPU", async () => {
    expectClose(await tab.evaluate((count) => window.page.score("webgpu", count), counts.test), 0.02);
  }, 200_000);

  test.each(["wasm", "webgpu"] as const)(
    "verify on %s: the file decides as its simulation, and nearly as float",
    async (provider) => {
      const found = await tab.evaluate(([name, count]) => window.page.verify(name, count), [
        provider,
        counts.test,
      ] as const);
      expect(found).toMatchObject({ runtime: "ort-web", samples: counts.test, unjudged: [] });
      expect(found.agreement.simulation).toBe(1);
      // One of twelve pictures may lie between two classes.
      expect(found.agreement.float).toBeGreaterThan(11 / 12 - 1e-9);
      expect(found.outputs[0]!.sqnr.float).toBeGreaterThan(20);
      expect(found.latencyMs!.quantized).toBeGreaterThan(0);
    },
    300_000,
  );

  test("there are threads and WebGPU, and no ort-node", async () => {
    expect(await tab.evaluate(() => window.page.isolated)).toBe(true);
    expect(await tab.evaluate(() => window.page.providers())).toEqual(expect.arrayContaining(["wasm", "webgpu"]));
    expect(await tab.evaluate(() => window.page.refusal())).toEqual({
      code: "runtime/missing",
      message: expect.stringContaining("ort-node"),
    });
  });

  /** Equal winners, and scores apart by at most this part of the largest score. */
  function expectClose(others: readonly (readonly number[])[], part: number): void {
    const best = (row: readonly number[]) => row.indexOf(Math.max(...row));
    expect(others.map(best)).toEqual(scores.map(best));
    const most = Math.max(...scores.flat().map(Math.abs));
    const apart = others.flatMap((row, i) => row.map((x, k) => Math.abs(x - scores[i]![k]!)));
    expect(Math.max(...apart)).toBeLessThanOrEqual(part * most);
  }
});

declare global {
  interface Window {
    readonly page: Page;
  }
}
