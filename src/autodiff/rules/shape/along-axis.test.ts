/** Operators along one axis against central differences. */
import { Tensor } from "../../../tensor/inner.ts";
import { gradientSuite } from "../../gradient-suite.ts";

gradientSuite({
  Softmax: { text: "f (float[2,3,4] x) => (float y) { y = Softmax(x) }" },
  "Softmax over channels": { text: "f (float[2,3,4] x) => (float y) { y = Softmax <axis = 1> (x) }" },
  LogSoftmax: { text: "f (float[2,3,4] x) => (float y) { y = LogSoftmax(x) }" },
  "LogSoftmax over channels": { text: "f (float[2,3,4] x) => (float y) { y = LogSoftmax <axis = -2> (x) }" },
  // Which element is the largest does not change by a little: nothing flows through it.
  "Hardmax beside its input": {
    text: "f (float[2,4] x) => (float y) { h = Hardmax(x) y = Add(x, h) }",
    feeds: { x: Tensor.float32([2, 4], [1, -2, 0.5, 2, -1, 3, 0, 0.2]) },
  },
  CumSum: { text: "f (float[2,3,4] x) => (float y) <int64 a = {1}> { y = CumSum(x, a) }" },
  "CumSum, exclusive": { text: "f (float[2,3] x) => (float y) <int64 a = {-1}> { y = CumSum <exclusive = 1> (x, a) }" },
  "CumSum, exclusive and reverse": {
    text: "f (float[2,3] x) => (float y) <int64 a = {0}> { y = CumSum <exclusive = 1, reverse = 1> (x, a) }",
  },
  CumProd: { text: "f (float[2,3,4] x) => (float y) <int64 a = {1}> { y = CumProd(x, a) }", opset: 26 },
  "CumProd, exclusive": {
    text: "f (float[2,4] x) => (float y) <int64 a = {-1}> { y = CumProd <exclusive = 1> (x, a) }",
    opset: 26,
  },
  "CumProd, exclusive and reverse": {
    text: "f (float[2,4] x) => (float y) <int64 a = {1}> { y = CumProd <exclusive = 1, reverse = 1> (x, a) }",
    opset: 26,
  },
  "CumProd, reverse, with zeros": {
    text: "f (float[2,4] x) => (float y) <int64 a = {1}> { y = CumProd <reverse = 1> (x, a) }",
    opset: 26,
    feeds: { x: Tensor.float32([2, 4], [1, 0, 0.5, 2, -1, 2, 0, 0]) },
  },
});
