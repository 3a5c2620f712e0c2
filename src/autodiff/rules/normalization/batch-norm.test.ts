/** Batch normalization with fixed and with the batch's own statistics. */
import { gradientSuite } from "../../gradient-suite.ts";

const spread = (random: { uniform(low: number, high: number): number }) => random.uniform(0.5, 1.5);
const inputs = "float[3] g, float[3] b, float[3] m, float[3] v";

gradientSuite({
  "fixed statistics": {
    text: `f (float[2,3,2,2] x, ${inputs}) => (float y) { y = BatchNormalization <epsilon = 0.001> (x, g, b, m, v) }`,
    feeds: { v: spread },
  },
  "statistics of the batch": {
    text: `f (float[4,3,2,2] x, ${inputs}) => (float y) {
       y, rm, rv = BatchNormalization <training_mode = 1> (x, g, b, m, v) }`,
    feeds: { v: spread },
    wrt: ["x", "g", "b"],
  },
  "a batch of rows": {
    text: `f (float[6,3] x, ${inputs}) => (float y) { y = BatchNormalization(x, g, b, m, v) }`,
    feeds: { v: spread },
  },
});
