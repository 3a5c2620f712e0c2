/** The official parser and printer as oracle: golden/official.json has their answers (tools/onnx-text-golden.py). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AvocetError } from "../../base/inner.ts";
import { check } from "../check.ts";
import { parseModel } from "./parse.ts";
import { printModel } from "./print.ts";

/** `printed` is null where the official printer loses something that the official parser has read. */
type Answer = { readonly text: string; readonly printed?: string | null; readonly refused?: string };
const file = new URL("golden/official.json", import.meta.url);
const { answers } = JSON.parse(readFileSync(file, "utf8")) as { answers: Record<string, Answer> };
const full = (text: string) => printModel(parseModel(text), { tensors: "full" });

for (const [name, { text, printed, refused }] of Object.entries(answers)) {
  if (refused !== undefined) {
    test(`${name}, as the official parser does`, () => {
      expect(() => parseModel(text)).toThrow(AvocetError);
    });
  } else {
    test(`${name}: the official printer's text means the same to us`, () => {
      const model = parseModel(text);
      check(model);
      const ours = printModel(model, { tensors: "full" });
      expect(full(ours)).toBe(ours);
      if (printed) expect(full(printed)).toBe(ours);
    });
  }
}

/** `python tools/onnx-text-golden.py --check` proves that the official parser makes the same models of these texts. */
test("our texts are those that the official parser was shown", async () => {
  const read = Object.entries(answers).filter(([, { refused }]) => refused === undefined);
  const ours = Object.fromEntries(read.map(([name, { text }]) => [name, full(text)]));
  await expect(`${JSON.stringify(ours, null, 1)}\n`).toMatchFileSnapshot("golden/printed.json");
});
