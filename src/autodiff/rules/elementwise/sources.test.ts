/** Range against central differences. */
import { gradientSuite } from "../../gradient-suite.ts";

gradientSuite({
  "Range: where it starts and its steps": {
    text: "f (float a, float d) => (float y) <float b = {3.1}> { y = Range(a, b, d) }",
    feeds: { a: () => 0.4, d: () => 0.5 },
  },
});
