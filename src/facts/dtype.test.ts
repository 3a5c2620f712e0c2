import { expect, test } from "vitest";
import { parseModel } from "../ir/inner.ts";
import { dtypeOf } from "./dtype.ts";

test.each([
  ["y = MeanVarianceNormalization(h)", "float16"],
  ["y = com.microsoft.EmbedLayerNormalization(i, i, h, h, h, h, h)", "float16"],
  ["y = com.microsoft.ReduceSumInteger <reduce = 1> (b)", "int32"],
  ["y = Cast <to = 7> (h)", "int64"],
  ["y = Where(c, h, h)", "float16"],
  ["y = Greater(h, h)", "bool"],
  ["y, m = Dropout(h)", "float16"],
  ["m, y = Dropout(h)", "bool"],
  ["m, y = TopK(h, k)", "int64"],
  ["a, y = Split(h)", "float16"],
  ["y = BitCast <to = 3> (h)", undefined],
  ["y = If <then_branch = t () => (z) { z = Relu(h) }, else_branch = e () => (z) { z = Abs(h) }> (c)", undefined],
])("%s: %s", (body, dtype) => {
  const { graph } = parseModel(
    `<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
     g (float16[2,2] h, int32[2,2] i, int8[2,2] b, bool[1] c, int64[1] k) => (y) { ${body} }`,
  );
  expect(dtypeOf(graph.valuesByName().get("y"))).toBe(dtype);
});
