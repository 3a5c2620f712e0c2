/** Where against central differences. */
import { Tensor } from "../../../tensor/inner.ts";
import { gradientSuite } from "../../gradient-suite.ts";

const mask = Tensor.of("bool", [2, 3], Uint8Array.from([1, 0, 1, 0, 0, 1]));

gradientSuite({
  Where: {
    text: "f (bool[2,3] c, float[2,3] a, float[2,3] b) => (float y) { y = Where(c, a, b) }",
    feeds: { c: mask },
  },
  "Where that broadcasts all three": {
    text: "f (bool[2,3] c, float[2,1] a, float[4,1,3] b) => (float y) { y = Where(c, a, b) }",
    feeds: { c: mask },
  },
});
