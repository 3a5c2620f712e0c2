import { expect, test } from "vitest";
import { pytorchPage } from "./document.ts";

test("docs/pytorch.md is current (npx vitest run src/formats/pytorch -u writes it)", async () => {
  await expect(pytorchPage()).toMatchFileSnapshot("../../../docs/pytorch.md");
});
