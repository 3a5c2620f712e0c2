/** Operators that put elements somewhere against central differences. */
import { describe } from "vitest";
import { Tensor } from "../../../tensor/inner.ts";
import { type GradientCase, gradientSuite } from "../../gradient-suite.ts";

const elements = (reduction: string, feeds: GradientCase["feeds"] = {}): GradientCase => ({
  text: `f (float[3,3] x, int64[2,3] i, float[2,3] u) => (float y) {
     y = ScatterElements <axis = 0, reduction = "${reduction}"> (x, i, u) }`,
  feeds: { i: Tensor.int64([2, 3], [0, 1, 2, 0, -2, 1]), ...feeds },
});

const nd = (reduction: string, feeds: GradientCase["feeds"] = {}): GradientCase => ({
  text: `f (float[4,2] x, int64[3,1] i, float[3,2] u) => (float y) {
     y = ScatterND <reduction = "${reduction}"> (x, i, u) }`,
  feeds: { i: Tensor.int64([3, 1], [1, 3, 1]), ...feeds },
});

/** Data and updates that are a fifth apart everywhere. */
const apart = (data: number, updates: number) => ({
  x: Tensor.float32(
    data === 9 ? [3, 3] : [4, 2],
    Array.from({ length: data }, (_, i) => ((i * 5) % data) / 2.5 - 1),
  ),
  u: Tensor.float32(
    updates === 6 && data === 9 ? [2, 3] : [3, 2],
    Array.from({ length: updates }, (_, i) => ((i * 5) % updates) / 2.5 - 0.9),
  ),
});

describe("ScatterElements", () => {
  gradientSuite({
    "written over": elements("none", { i: Tensor.int64([2, 3], [0, 1, 2, 2, -3, 1]) }),
    "added, some twice": elements("add"),
    "multiplied, some twice": elements("mul"),
    "multiplied with zeros": elements("mul", { u: Tensor.float32([2, 3], [0, 0, 2, 3, 0, 1]) }),
    largest: elements("max", apart(9, 6)),
    smallest: elements("min", apart(9, 6)),
    "along the last axis": {
      text: `f (float[2,4] x, int64[2,2] i, float[2,2] u) => (float y) {
         y = ScatterElements <axis = -1, reduction = "add"> (x, i, u) }`,
      feeds: { i: Tensor.int64([2, 2], [3, 3, 0, 1]) },
    },
  });
});

describe("ScatterND", () => {
  gradientSuite({
    "written over": nd("none", { i: Tensor.int64([3, 1], [1, 3, 0]) }),
    "added, some twice": nd("add"),
    "multiplied, some twice": nd("mul"),
    largest: nd("max", apart(8, 6)),
    smallest: nd("min", apart(8, 6)),
  });
});

describe("TensorScatter", () => {
  const cache = (attributes: string, starts: readonly number[], axis = ""): GradientCase => ({
    text: `f (float[2,2,4,3] x, float[2,2,2,3] u, int64[2] i) => (float y) {
       y = TensorScatter <${attributes}> (x, u, i) ${axis} }`,
    feeds: { i: Tensor.int64([2], starts) },
    opset: 24,
  });
  gradientSuite({
    linear: cache(`mode = "linear"`, [2, 0]),
    circular: cache(`mode = "circular"`, [3, 1]),
    "of three axes": {
      text: "f (float[2,4,3] x, float[2,2,3] u) => (float y) { y = TensorScatter(x, u) }",
      opset: 24,
    },
    "from the start, along another axis": {
      text: "f (float[2,4,3] x, float[2,2,3] u) => (float y) { y = TensorScatter <axis = 1> (x, u) }",
      opset: 24,
    },
  });
});

describe("others", () => {
  gradientSuite({
    Concat: {
      text: "f (float[2,3] a, float[2,1] b, float[2,2] c) => (float y) { y = Concat <axis = -1> (a, b, c) }",
    },
    "OneHot, the two values": {
      text: "f (int64[2,3] i, float[2] v) => (float y) <int64 d = {4}> { y = OneHot <axis = 1> (i, d, v) }",
      feeds: { i: Tensor.int64([2, 3], [0, 3, -1, 2, 2, 7]) },
    },
    "OneHot along the last axis": {
      text: "f (int64[2,3] i, float[2] v) => (float y) <int64 d = {4}> { y = OneHot(i, d, v) }",
      feeds: { i: Tensor.int64([2, 3], [0, 3, -1, 2, 2, 7]) },
    },
    Col2Im: {
      text: `f (float[2,8,9] x) => (float y) <int64[2] s = {4,4}, int64[2] k = {2,2}> { y = Col2Im(x, s, k) }`,
    },
    "Col2Im with strides, dilations and pads": {
      text: `f (float[1,12,9] x) => (float y) <int64[2] s = {5,6}, int64[2] k = {2,3}> {
         y = Col2Im <strides = [2,2], dilations = [2,1], pads = [1,0,1,1]> (x, s, k) }`,
    },
    "Col2Im of lines": {
      text: "f (float[2,6,3] x) => (float y) <int64[1] s = {7}, int64[1] k = {3}> { y = Col2Im <strides = [2]> (x, s, k) }",
    },
  });
});
