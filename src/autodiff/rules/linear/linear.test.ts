/** Convolutions and matrix products against central differences, in every form of their attributes. */
import { describe } from "vitest";
import { gradientSuite } from "../../gradient-suite.ts";

const conv = (x: string, w: string, attributes = "", bias = "") =>
  `f (float[${x}] x, float[${w}] w${bias ? `, float[${bias}] b` : ""}) => (float y) {
     y = Conv <${attributes}> (x, w${bias ? ", b" : ""}) }`.replace("<> ", "");

describe("Conv", () => {
  gradientSuite({
    "3x3 with bias and padding": { text: conv("2,3,5,6", "4,3,3,3", "pads = [1,1,1,1]", "4") },
    "1x1": { text: conv("2,3,4,4", "5,3,1,1") },
    "1x1, stride 2": { text: conv("2,3,5,5", "4,3,1,1", "strides = [2,2]") },
    "stride 2, uneven padding": { text: conv("1,2,7,6", "3,2,3,3", "strides = [2,2], pads = [0,1,1,0]") },
    "stride 3 that leaves elements at the end unseen": { text: conv("1,2,9,8", "2,2,3,2", "strides = [3,3]") },
    dilation: { text: conv("1,2,9,9", "3,2,3,3", "dilations = [2,3], pads = [2,3,2,3]") },
    "dilation and stride": {
      text: conv("1,2,10,9", "3,2,3,3", "dilations = [2,2], strides = [2,3], pads = [1,2,2,1]"),
    },
    "padding wider than the kernel reaches": { text: conv("1,2,4,4", "2,2,2,2", "pads = [3,2,2,3]") },
    groups: { text: conv("2,4,5,5", "6,2,3,3", "group = 2, pads = [1,1,1,1]", "6") },
    "groups, stride 2": { text: conv("2,4,6,6", "6,2,3,3", "group = 2, strides = [2,2], pads = [1,1,0,0]") },
    depthwise: { text: conv("2,4,5,5", "4,1,3,3", "group = 4, pads = [1,1,1,1]", "4") },
    "depthwise, stride 2, two filters a channel": {
      text: conv("2,3,6,6", "6,1,3,3", "group = 3, strides = [2,2], pads = [0,0,1,1]"),
    },
    "many channels and places": { text: conv("2,8,9,10", "3,8,3,2", "pads = [1,0,2,1]") },
    "many channels and places, dilation": { text: conv("1,8,12,11", "2,8,3,3", "dilations = [2,1], pads = [2,1,1,1]") },
    "1-D": { text: conv("2,3,9", "4,3,4", "strides = [2], pads = [1,2]", "4") },
    "3-D, grouped": { text: conv("1,2,4,4,3", "4,1,2,3,2", "group = 2, pads = [0,1,1,1,1,0]") },
    "auto_pad SAME_UPPER": { text: conv("1,2,6,5", "3,2,4,3", `auto_pad = "SAME_UPPER", strides = [2,2]`) },
    "auto_pad SAME_LOWER": { text: conv("1,2,6,5", "3,2,4,3", `auto_pad = "SAME_LOWER", strides = [2,2]`) },
    "auto_pad VALID": { text: conv("1,2,6,5", "3,2,4,3", `auto_pad = "VALID"`) },
  });
});

const spread = (x: string, w: string, attributes = "", bias = "") =>
  conv(x, w, attributes, bias).replace("Conv", "ConvTranspose");

describe("ConvTranspose", () => {
  gradientSuite({
    "stride 2 with bias": {
      text: spread("2,3,4,4", "3,4,3,3", "strides = [2,2], pads = [1,1,1,1], output_padding = [1,1]", "4"),
    },
    "stride 1": { text: spread("1,3,4,5", "3,2,3,3", "pads = [1,0,0,1]") },
    groups: { text: spread("2,4,3,3", "4,3,3,3", "group = 2, strides = [2,2]", "6") },
    "depthwise, dilation": { text: spread("1,3,4,4", "3,1,3,3", "group = 3, dilations = [2,2], strides = [2,2]") },
    output_shape: { text: spread("1,2,3,3", "2,2,3,3", "strides = [2,2], output_shape = [6,6]") },
    "auto_pad SAME_UPPER": { text: spread("1,2,3,3", "2,2,3,3", `strides = [2,2], auto_pad = "SAME_UPPER"`) },
    "auto_pad SAME_UPPER, more to take away": {
      text: spread("1,2,3,3", "2,2,5,5", `strides = [2,2], auto_pad = "SAME_UPPER"`),
    },
    "auto_pad SAME_LOWER": { text: spread("1,2,3,3", "2,2,5,5", `strides = [2,2], auto_pad = "SAME_LOWER"`) },
    "output_shape, more to take away": { text: spread("1,2,4,4", "2,2,3,3", "strides = [2,2], output_shape = [6,6]") },
    "output_shape with output_padding": {
      text: spread("1,2,4,4", "2,2,3,3", "strides = [2,2], output_padding = [1,1], output_shape = [7,7]"),
    },
    "1-D": { text: spread("2,3,5", "3,2,4", "strides = [3], pads = [1,1]") },
  });
});

describe("Gemm", () => {
  const gemm = (a: string, b: string, c: string, attributes: string) => ({
    text: `f (float[${a}] a, float[${b}] b, float[${c}] c) => (float y) { y = Gemm <${attributes}> (a, b, c) }`,
  });
  gradientSuite({
    plain: gemm("3,4", "4,5", "5", "transA = 0"),
    "transA, alpha": gemm("4,3", "4,5", "3,1", "transA = 1, alpha = 0.5"),
    "transB, beta": gemm("3,4", "5,4", "1,5", "transB = 1, beta = 2.0"),
    both: gemm("4,3", "5,4", "3,5", "transA = 1, transB = 1, alpha = 3.0, beta = 0.5"),
  });
});

describe("MatMul", () => {
  const product = (a: string, b: string) => ({
    text: `f (float[${a}] a, float[${b}] b) => (float y) { y = MatMul(a, b) }`,
  });
  gradientSuite({
    matrices: product("3,4", "4,5"),
    "one matrix for all": product("2,3,4", "4,5"),
    batched: product("2,3,4", "2,4,2"),
    "broadcast on both sides": product("2,1,3,4", "3,4,2"),
    "a vector on the left": product("4", "2,4,3"),
    "a vector on the right": product("2,3,4", "4"),
    "two vectors": product("4", "4"),
    "a matrix on the left": product("3,4", "2,4,2"),
  });
});
