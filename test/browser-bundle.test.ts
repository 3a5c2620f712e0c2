/** The package in a bundle for browsers holds nothing of Node: neither loaded at once nor behind an import(). */
import { expect, test } from "vitest";
import { bundleForBrowser } from "./browser/bundle.ts";

// Only the engine stays outside: apps serve its WebAssembly next to their own files.
const engine = [/^onnxruntime-web\//];

test.each(["test/browser/quantizer.ts", "test/browser/everything.ts"])("%s", async (entry) => {
  const { imports, warnings } = await bundleForBrowser(entry, engine);
  expect(warnings).toEqual([]);
  expect([...imports].sort()).toEqual(["onnxruntime-web/wasm", "onnxruntime-web/webgpu"]);
});

test("a module of Node would be noticed", async () => {
  const { imports, warnings } = await bundleForBrowser("src/formats/inner-node.ts");
  expect(imports).toContain("node:fs");
  expect(warnings.join("\n")).toContain("node:fs");
});
