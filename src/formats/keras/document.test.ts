/** The page about Keras is the one that the table writes. */
import { expect, test } from "vitest";
import { kerasPage } from "./document.ts";

test("docs/keras.md is current (npx vitest run src/formats/keras -u writes it)", async () => {
  await expect(kerasPage()).toMatchFileSnapshot("../../../docs/keras.md");
});
