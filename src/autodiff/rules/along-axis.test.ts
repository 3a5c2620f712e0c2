/** Operators along one axis against central differences. */
import { gradientSuite } from "../gradient-suite.ts";

gradientSuite({
  Softmax: { text: "f (float[2,3,4] x) => (float y) { y = Softmax(x) }" },
  "Softmax over channels": { text: "f (float[2,3,4] x) => (float y) { y = Softmax <axis = 1> (x) }" },
  LogSoftmax: { text: "f (float[2,3,4] x) => (float y) { y = LogSoftmax(x) }" },
  "LogSoftmax over channels": { text: "f (float[2,3,4] x) => (float y) { y = LogSoftmax <axis = -2> (x) }" },
});
