/** The page about gradients is the one that the table writes. */
import { expect, test } from "vitest";
import { gradientsPage } from "./document.ts";

test("docs/gradients.md is current (npx vitest run src/autodiff/document.test.ts -u writes it)", async () => {
  await expect(gradientsPage()).toMatchFileSnapshot("../../docs/gradients.md");
});
