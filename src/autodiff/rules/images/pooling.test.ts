/** Pools against central differences: inputs are spread so that no step changes which element is the largest. */
import { describe } from "vitest";
import { Tensor } from "../../../tensor/inner.ts";
import { gradientSuite } from "../../gradient-suite.ts";

/** Numbers 0.11 apart in an order that looks random: no two change places within a step. */
const apart = (_: unknown, i: number) => ((i * 37) % 101) * 0.11 - 5;
const pool = (op: string, x: string, attributes: string) => ({
  text: `f (float[${x}] x) => (float y) { y = ${op} <${attributes}> (x) }`,
});
const spread = (op: string, x: string, attributes: string) => ({ ...pool(op, x, attributes), feeds: { x: apart } });

describe("MaxPool", () => {
  gradientSuite({
    "windows side by side": spread("MaxPool", "1,2,6,6", "kernel_shape = [2,2], strides = [2,2]"),
    "overlapping, padded": spread("MaxPool", "1,2,7,7", "kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]"),
    dilation: spread("MaxPool", "1,1,8,8", "kernel_shape = [2,3], dilations = [2,2]"),
    ceil_mode: spread("MaxPool", "1,1,7,8", "kernel_shape = [3,3], strides = [2,2], ceil_mode = 1"),
    "auto_pad SAME_UPPER": spread(
      "MaxPool",
      "1,1,5,6",
      `kernel_shape = [3,2], strides = [2,2], auto_pad = "SAME_UPPER"`,
    ),
    "1-D": spread("MaxPool", "2,3,9", "kernel_shape = [3], strides = [3]"),
    "3-D": spread("MaxPool", "1,1,4,4,4", "kernel_shape = [2,2,2], strides = [1,2,2]"),
    "with indices": {
      text: `f (float[1,2,6,6] x) => (float y, int64 i) { y, i = MaxPool <kernel_shape = [3,3], strides = [2,2]> (x) }`,
      feeds: { x: apart },
    },
    "with indices in column order": {
      text: `f (float[1,2,6,6] x) => (float y, int64 i) {
         y, i = MaxPool <kernel_shape = [2,2], storage_order = 1> (x) }`,
      feeds: { x: apart },
    },
    global: { text: "f (float[2,3,3,4] x) => (float y) { y = GlobalMaxPool(x) }", feeds: { x: apart } },
  });
});

describe("AveragePool", () => {
  gradientSuite({
    "windows side by side": pool("AveragePool", "2,2,4,6", "kernel_shape = [2,3], strides = [2,3]"),
    "overlapping, padded": pool("AveragePool", "1,2,7,7", "kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]"),
    "padding counts": pool("AveragePool", "1,2,6,6", "kernel_shape = [3,3], pads = [1,1,1,1], count_include_pad = 1"),
    ceil_mode: pool("AveragePool", "1,2,7,8", "kernel_shape = [3,3], strides = [2,2], ceil_mode = 1"),
    "ceil_mode, padding counts": pool(
      "AveragePool",
      "1,1,7,8",
      "kernel_shape = [3,3], strides = [2,2], pads = [1,0,1,0], ceil_mode = 1, count_include_pad = 1",
    ),
    dilation: pool("AveragePool", "1,1,8,8", "kernel_shape = [2,3], dilations = [2,2], strides = [1,2]"),
    "elements at the end unseen": pool("AveragePool", "1,1,8,8", "kernel_shape = [3,3], strides = [3,3]"),
    "auto_pad SAME_LOWER": pool("AveragePool", "1,1,5,6", `kernel_shape = [3,2], auto_pad = "SAME_LOWER"`),
    "a dilation that reaches over the end": pool(
      "AveragePool",
      "1,1,2,4",
      "kernel_shape = [2,2], dilations = [2,1], strides = [2,2], pads = [0,0,1,0]",
    ),
    "padded in front of one axis, with as many elements as windows hold": pool(
      "AveragePool",
      "1,1,4,4",
      "kernel_shape = [2,2], strides = [2,2], pads = [1,0,0,0]",
    ),
    "1-D": pool("AveragePool", "2,3,8", "kernel_shape = [4], strides = [2]"),
    "3-D": pool("AveragePool", "1,1,4,4,3", "kernel_shape = [2,2,2], strides = [2,1,1]"),
    global: { text: "f (float[2,3,3,4] x) => (float y) { y = GlobalAveragePool(x) }" },
  });
});

describe("LpPool", () => {
  gradientSuite({
    "p = 2": pool("LpPool", "1,2,6,6", "kernel_shape = [3,3], strides = [2,2]"),
    "p = 3": { ...spread("LpPool", "1,2,6,6", "kernel_shape = [2,2], strides = [2,2], p = 3"), step: 2e-2 },
    "p = 1": spread("LpPool", "1,2,6,6", "kernel_shape = [2,2], strides = [2,2], p = 1"),
    global: { text: "f (float[2,3,3,4] x) => (float y) { y = GlobalLpPool(x) }" },
    "global, p = 1": { ...spread("GlobalLpPool", "2,3,3,4", "p = 1") },
  });
});

describe("MaxUnpool", () => {
  const indices = Tensor.int64([1, 2, 2, 2], [0, 3, 9, 14, 17, 18, 29, 31]);
  gradientSuite({
    "reads where it wrote": {
      text: `f (float[1,2,2,2] x, int64[1,2,2,2] i) => (float y) {
         y = MaxUnpool <kernel_shape = [2,2], strides = [2,2]> (x, i) }`,
      feeds: { i: indices },
    },
    "with an output shape": {
      text: `f (float[1,2,2,2] x, int64[1,2,2,2] i, int64[4] s) => (float y) {
         y = MaxUnpool <kernel_shape = [2,2], strides = [2,2]> (x, i, s) }`,
      feeds: { i: indices, s: Tensor.int64([4], [1, 2, 5, 5]) },
    },
  });
});

describe("RoiAlign", () => {
  const boxes = Tensor.float32([3, 4], [0.3, 0.7, 4.1, 3.9, 1.2, 0.4, 5.5, 4.7, -1.3, 2.1, 3.6, 6.2]);
  const owners = Tensor.int64([3], [1, 0, 1]);
  const align = (attributes: string) => ({
    text: `f (float[2,2,6,6] x, float[3,4] r, int64[3] o) => (float y) { y = RoiAlign <${attributes}> (x, r, o) }`,
    feeds: { r: boxes, o: owners },
    wrt: ["x"],
  });
  gradientSuite({
    "two samples": align("output_height = 2, output_width = 3, sampling_ratio = 2"),
    "boxes that reach far over the end": {
      ...align("output_height = 3, output_width = 3, sampling_ratio = 2"),
      feeds: {
        r: Tensor.float32([3, 4], [3.2, 2.8, 9.7, 8.9, 2.1, 3.3, 7.9, 13.4, -4.3, -3.1, 3.6, 2.2]),
        o: owners,
      },
    },
    "old coordinates, scaled": align(
      `output_height = 2, output_width = 2, sampling_ratio = 3, spatial_scale = 0.7,
       coordinate_transformation_mode = "output_half_pixel"`,
    ),
  });
});
