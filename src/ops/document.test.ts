/** The page about operators is the one that the table writes. */
import { expect, test } from "vitest";
import { operatorsPage } from "./document.ts";

test("docs/operators.md is current (npx vitest run src/ops -u writes it)", async () => {
  await expect(operatorsPage()).toMatchFileSnapshot("../../docs/operators.md");
});
