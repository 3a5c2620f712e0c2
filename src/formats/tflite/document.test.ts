/** The page about TensorFlow Lite is the one that the table writes. */
import { expect, test } from "vitest";
import { tflitePage } from "./document.ts";

test("docs/tflite.md is current (npx vitest run src/formats/tflite -u writes it)", async () => {
  await expect(tflitePage()).toMatchFileSnapshot("../../../docs/tflite.md");
});
