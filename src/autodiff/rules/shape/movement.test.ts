/** Operators that move elements against central differences. */
import { describe } from "vitest";
import { Tensor } from "../../../tensor/inner.ts";
import { type GradientCase, gradientSuite } from "../../gradient-suite.ts";

const ints = (name: string, ...values: number[]) => `int64[${values.length}] ${name} = {${values}}`;

describe("shapes", () => {
  gradientSuite({
    Reshape: { text: `f (float[2,3,4] x) => (float y) <${ints("s", 0, -1)}> { y = Reshape(x, s) }` },
    Flatten: { text: "f (float[2,3,4] x) => (float y) { y = Flatten <axis = 2> (x) }" },
    Squeeze: { text: `f (float[2,1,4] x) => (float y) <${ints("a", 1)}> { y = Squeeze(x, a) }` },
    "Squeeze of all": { text: "f (float[1,3,1] x) => (float y) { y = Squeeze(x) }" },
    Unsqueeze: { text: `f (float[2,3] x) => (float y) <${ints("a", 0, -1)}> { y = Unsqueeze(x, a) }` },
    Transpose: { text: "f (float[2,3,4] x) => (float y) { y = Transpose <perm = [1,2,0]> (x) }" },
    "Transpose without perm": { text: "f (float[2,3,4] x) => (float y) { y = Transpose(x) }" },
    Identity: { text: "f (float[2,3] x) => (float y) { y = Identity(x) }" },
    Expand: { text: `f (float[3,1] x) => (float y) <${ints("s", 2, 1, 4)}> { y = Expand(x, s) }` },
  });
});

describe("Slice", () => {
  const slice = (shape: string, ...lists: readonly (readonly number[])[]): GradientCase => {
    const names = ["starts", "ends", "axes", "steps"].slice(0, lists.length);
    const constants = lists.map((list, i) => ints(names[i]!, ...list)).join(", ");
    return { text: `f (float[${shape}] x) => (float y) <${constants}> { y = Slice(x, ${names.join(", ")}) }` };
  };
  gradientSuite({
    "all of it": slice("2,3", [0], [10]),
    "from both ends": slice("5,4", [1, -3], [-1, 9]),
    "one axis": slice("2,5,3", [1], [4], [-2]),
    "steps that leave a rest": slice("7,6", [1, 0], [7, 6], [0, 1], [3, 2]),
    "steps along the last axes": slice("2,3,5,6", [1, 0], [5, 6], [2, 3], [2, 3]),
    "steps along the first axis": slice("5,3,2", [0], [5], [0], [2]),
    backwards: slice("6,5", [-1, 3], [-100, 0], [0, 1], [-1, -2]),
    "backwards from behind the end": slice("6,5", [100], [-100], [0], [-2]),
    nothing: slice("2,3", [1], [1]),
    "bounds that Constant nodes give": {
      text: `f (float[6,4] x) => (float y) {
         s = Constant <value_ints = [2]> ()  e = Constant <value_ints = [5]> ()
         z = Slice(x, s, e)  i = Constant <value_int = 1> ()  g = Gather(z, i)
         p = Constant <value_float = 2.0> ()  h = Pow(g, p)
         q = Constant <value_floats = [3.0]> ()  y = Pow(h, q) }`,
    },
    "computed bounds": {
      text: `f (float[6,4] x, int64[1] s) => (float y) <${ints("e", 6)}, ${ints("a", 0)}> { y = Slice(x, s, e, a) }`,
      feeds: { s: Tensor.int64([1], [2]) },
    },
  });
});

describe("Pad", () => {
  const pad = (mode: string, ...pads: readonly number[]): GradientCase => ({
    text: `f (float[4,5] x) => (float y) <${ints("p", ...pads)}> { y = Pad <mode = "${mode}"> (x, p) }`,
  });
  gradientSuite({
    constant: pad("constant", 1, 0, 2, 3),
    "constant that also cuts": pad("constant", 1, -2, -1, 3),
    reflect: pad("reflect", 3, 1, 0, 4),
    edge: pad("edge", 2, 0, 1, 3),
    wrap: pad("wrap", 1, 2, 2, 4),
    "a value, some axes": {
      text: `f (float[4,5,2] x, float v) => (float y) <${ints("p", 1, 2)}, ${ints("a", -2)}> { y = Pad(x, p, v, a) }`,
    },
  });
});

describe("Split and Concat", () => {
  gradientSuite({
    "Split into two": {
      text: "f (float[4,6] x) => (float y, float z) { y, z = Split <axis = 1, num_outputs = 2> (x) }",
    },
    "Split with lengths, one part unread": {
      text: `f (float[2,6] x) => (float y, float z) <${ints("l", 1, 3, 2)}> { y, t, z = Split <axis = -1> (x, l) }`,
    },
    Concat: {
      text: "f (float[2,3] a, float[2,1] b, float[2,2] c) => (float y) { y = Concat <axis = -1> (a, b, c) }",
    },
    "Concat of a value with itself": { text: "f (float[2,3] x) => (float y) { y = Concat <axis = 0> (x, x) }" },
  });
});

describe("Gather", () => {
  gradientSuite({
    "rows, some twice": {
      text: "f (float[5,3] x, int64[2,3] i) => (float y) { y = Gather(x, i) }",
      feeds: { i: Tensor.int64([2, 3], [0, 4, 2, 2, -1, 0]) },
    },
    "along an inner axis": {
      text: "f (float[2,4,3] x, int64[3] i) => (float y) { y = Gather <axis = 1> (x, i) }",
      feeds: { i: Tensor.int64([3], [1, 3, 1]) },
    },
    "two constant rows, and the first one alone": {
      text: `f (float[3,2] x) => (float y, float z) <${ints("i", 2, 0)}, int64 o = {0}> { y = Gather(x, i) z = Gather(x, o) }`,
    },
    "one computed element": {
      text: "f (float[3,2] x, int64 i) => (float y) { y = Gather(x, i) }",
      feeds: { i: Tensor.int64([], [2]) },
    },
    "one element": { text: "f (float[2,4,3] x) => (float y) <int64 i = {-2}> { y = Gather <axis = 1> (x, i) }" },
  });
});

describe("elements taken by index", () => {
  gradientSuite({
    GatherElements: {
      text: "f (float[3,4] x, int64[3,2] i) => (float y) { y = GatherElements <axis = 1> (x, i) }",
      feeds: { i: Tensor.int64([3, 2], [0, 0, 3, 1, -1, 2]) },
    },
    GatherND: {
      text: "f (float[3,4,2] x, int64[4,2] i) => (float y) { y = GatherND(x, i) }",
      feeds: { i: Tensor.int64([4, 2], [0, 1, 2, -1, 0, 1, 1, 1]) },
    },
    "GatherND with samples": {
      text: "f (float[2,3,2] x, int64[2,2,1] i) => (float y) { y = GatherND <batch_dims = 1> (x, i) }",
      feeds: { i: Tensor.int64([2, 2, 1], [0, 2, 1, 1]) },
    },
    Compress: {
      text: "f (float[3,2] x, bool[3] c) => (float y) { y = Compress <axis = 0> (x, c) }",
      feeds: { c: Tensor.of("bool", [3], Uint8Array.from([1, 0, 1])) },
    },
    "Compress of a list": {
      text: "f (float[3,2] x, bool[5] c) => (float y) { y = Compress(x, c) }",
      feeds: { c: Tensor.of("bool", [5], Uint8Array.from([1, 0, 1, 1, 0])) },
    },
    TopK: {
      text: `f (float[2,5] x) => (float y) <${ints("k", 3)}> { y, i = TopK(x, k) }`,
      feeds: { x: (_, i) => ((i * 7) % 10) / 5 },
    },
    "TopK of three axes": {
      text: `f (float[2,3,5] x) => (float y) <${ints("k", 3)}> { y, i = TopK(x, k) }`,
    },
    "TopK, smallest, first axis": {
      text: `f (float[4,3] x) => (float y) <${ints("k", 2)}> { y, i = TopK <axis = 0, largest = 0> (x, k) }`,
      feeds: { x: (_, i) => ((i * 7) % 12) / 5 },
    },
    ReverseSequence: {
      text: "f (float[4,3,2] x, int64[3] n) => (float y) { y = ReverseSequence(x, n) }",
      feeds: { n: Tensor.int64([3], [4, 2, 1]) },
    },
    "ReverseSequence, samples first": {
      text: `f (float[2,4] x, int64[2] n) => (float y) { y = ReverseSequence <batch_axis = 0, time_axis = 1> (x, n) }`,
      feeds: { n: Tensor.int64([2], [3, 2]) },
    },
  });
});

describe("elements in another order, or several times", () => {
  gradientSuite({
    "DepthToSpace, depth first": { text: "f (float[2,8,2,3] x) => (float y) { y = DepthToSpace <blocksize = 2> (x) }" },
    "DepthToSpace, columns first": {
      text: `f (float[1,8,2,3] x) => (float y) { y = DepthToSpace <blocksize = 2, mode = "CRD"> (x) }`,
    },
    SpaceToDepth: { text: "f (float[1,2,4,6] x) => (float y) { y = SpaceToDepth <blocksize = 2> (x) }" },
    Tile: { text: `f (float[2,1,3] x) => (float y) <${ints("r", 2, 3, 1)}> { y = Tile(x, r) }` },
    Trilu: { text: "f (float[2,3,4] x) => (float y) { y = Trilu(x) }" },
    "Trilu, lower, with a shift": {
      text: "f (float[3,4] x) => (float y) <int64 k = {1}> { y = Trilu <upper = 0> (x, k) }",
    },
    "CenterCropPad that cuts one axis and pads the other": {
      text: `f (float[5,4] x) => (float y) <${ints("s", 2, 7)}> { y = CenterCropPad(x, s) }`,
    },
    "CenterCropPad along one axis": {
      text: `f (float[2,4,3] x) => (float y) <${ints("s", 7)}> { y = CenterCropPad <axes = [-2]> (x, s) }`,
    },
  });
});
