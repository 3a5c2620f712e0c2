/** The texts of docs/onnx-text.md are read, and are whole models. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { check, parseModel } from "../src/ir/inner.ts";
import { root } from "./source-files.ts";

const page = readFileSync(join(root, "docs", "onnx-text.md"), "utf8");
const texts = [...page.matchAll(/```onnx\n([^`]*)```/g)].map(([, text]) => text!);

test("every text of the page is a whole model", () => {
  expect(texts).toHaveLength(3);
  for (const text of texts) check(parseModel(text, { seed: 1, positive: ["variance"] }));
});
