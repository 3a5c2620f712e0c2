/** What of a normalization is computed again: nothing that the forward pass has told. */
import { expect, test } from "vitest";
import { backwardOperators } from "../../../../test/backward-operators.ts";

const norm = (outputs: string, op: string) =>
  backwardOperators(`f (float[3,6] x, float[6] g) => (float y) { ${outputs} = ${op}(x, g) }`, "x");

test("statistics that are outputs are read there", () => {
  expect([
    norm("y", "LayerNormalization"),
    norm("y, m", "LayerNormalization"),
    norm("y, m, i", "LayerNormalization"),
    norm("y", "SimplifiedLayerNormalization"),
    norm("y, i", "SimplifiedLayerNormalization"),
  ]).toMatchInlineSnapshot(`
    [
      "Add ×2, Identity, Mul ×6, Reciprocal, ReduceMean ×4, Sqrt, Sub ×2",
      "Add ×2, Identity, Mul ×6, Reciprocal, ReduceMean ×3, Sqrt, Sub ×2",
      "Add, Identity, Mul ×5, ReduceMean ×2, Sub ×2",
      "Add, Identity, Mul ×6, Reciprocal, ReduceMean ×2, Sqrt, Sub",
      "Identity, Mul ×5, ReduceMean, Sub",
    ]
  `);
});
