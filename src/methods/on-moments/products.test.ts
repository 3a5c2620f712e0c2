import { expect, test } from "vitest";
import { Random } from "../../base/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { Products } from "./products.ts";

test.each(["ort-node", "ort-web"] as const)("products in %s are those of float64", async (name) => {
  await using products = await Products.open(await openRuntime(name), 1);
  const random = new Random(5);
  for (const [m, k, n] of [[1, 1, 1] as const, [3, 150, 7] as const, [70, 33, 65] as const]) {
    const [a, b] = [m * k, k * n].map((size) => Float64Array.from({ length: size }, () => random.normal()));
    const found = await products.multiply(a!, b!, [m, k, n]);
    expect(found).toHaveLength(m * n);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) sum += a![i * k + l]! * b![l * n + j]!;
        // 150 terms of size one; float32 would keep six digits.
        expect(found[i * n + j]).toBeCloseTo(sum, 11);
      }
  }
});
