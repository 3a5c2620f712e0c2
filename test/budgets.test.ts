/** How much a page loads: bytes of the bundle, minified and compressed, without the engine (docs/runtimes.md has its size). */
import { expect, test } from "vitest";
import { bundleForBrowser, weigh } from "./browser/bundle.ts";

// A ceiling is raised in the commit that needs it, with the reason; the measured number is the one of that commit.
// 13 kB of the readers are the rows of all operators: what is read is checked against them before anything relies on it.
// What is loaded when it is needed (the reader of a foreign format, when a file of it is met) is not counted.
// 7 kB are ONNX text: a reader of models tells formats by content and takes them all.
// 33 kB of the quantizer are checks of what it is given, the storage of every grid, and judging with intervals and warnings.
// 1 kB of the quantizer judges what a preset decides, sample by sample; apart it would cost 4 kB more, as what both parts need compresses apart.
// 24 kB of the whole are compression with training in float and to milliseconds, by the share of its source.
// 10 kB of the whole are half precision, grids of lists, scales on two levels, and encodings of version 2.1.0.
// 2 kB are what two parts that load when they are named cost the rest: pieces that both need are files of their own and compress apart.
// 45 kB are re2js: regular expressions that cannot hang cost as much as all readers of models, and 0.4 % of the engine.
test.each([
  { what: "reading and writing ONNX", entry: "src/formats/inner.ts", measured: 46_160, ceiling: 48_000 },
  {
    what: "the quantizer, from bytes to bytes",
    entry: "test/browser/quantizer.ts",
    measured: 336_647,
    ceiling: 339_000,
  },
  { what: "every subpath, whole", entry: "test/browser/everything.ts", measured: 468_012, ceiling: 472_000 },
])("$what: $measured bytes, at most $ceiling", async ({ entry, ceiling }) => {
  const weight = weigh(await bundleForBrowser(entry, [/^onnxruntime-web\//]));
  expect(weight.gzip, `${weight.bytes} bytes before compression`).toBeLessThanOrEqual(ceiling);
});
