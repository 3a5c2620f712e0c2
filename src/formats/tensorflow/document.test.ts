/** The page about TensorFlow's graphs is the one that the table writes. */
import { expect, test } from "vitest";
import { tensorflowPage } from "./document.ts";

test("docs/tensorflow.md is current (npx vitest run src/formats/tensorflow -u writes it)", async () => {
  await expect(tensorflowPage()).toMatchFileSnapshot("../../../docs/tensorflow.md");
});
