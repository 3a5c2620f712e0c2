/** One call, `run` and `report`, in Node and in a browser's tab: the same report.json and the same page, byte by byte. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { openRuntime } from "../src/index.ts";
import { bundleForBrowser } from "./browser/bundle.ts";
import { launchChromium } from "./browser/chromium.ts";
import { reportPictures } from "./browser/report.ts";
import type { ReportPage } from "./browser/report-page.ts";
import { serve } from "./browser/serve.ts";
import { root } from "./source-files.ts";

const browser = await launchChromium();
const count = { calibration: 24, test: 36 };
const model = readFileSync(join(root, "examples/models/pictures.onnx"));

describe("the report of a tab", () => {
  if ("because" in browser) return void test.skip(browser.because, () => {});
  afterAll(() => browser.close());

  test("is Node's: times left out, the engine the same, and processor and date handed in", async () => {
    const { files } = await bundleForBrowser("test/browser/report-page.ts");
    const engine = dirname(fileURLToPath(import.meta.resolve("onnxruntime-web")));
    const script = [...files.keys()][0];
    const served = new Map<string, string | Uint8Array>([...files].map(([name, code]) => [`/${name}`, code]));
    served.set("/", `<!doctype html><title>Avocet</title><script type="module" src="/${script}"></script>`);
    served.set("/pictures.onnx", model);
    await using server = await serve(served, { "/engine/": engine });
    const tab = await browser.newPage();
    await tab.goto(server.url);
    await tab.waitForFunction("globalThis.reportPage");
    const there = await tab.evaluate((count) => window.reportPage.report("/pictures.onnx", count), count);
    const here = await reportPictures(await openRuntime("ort-web", { threads: 1 }), model, count);
    const [ours, theirs] = [JSON.parse(here.json), JSON.parse(there.json)];
    expect(ours.score.float).toBeGreaterThan(0.5);
    expect(ours.values.length).toBeGreaterThan(10);
    expect(theirs).toEqual(ours);
    expect(there).toEqual(here);
  }, 120_000);
});

declare global {
  interface Window {
    readonly reportPage: ReportPage;
  }
}
