/** Which Pad becomes the padding of the convolution behind it, so that nothing is quantized between the two. */
import { expect, test } from "vitest";
import { about, gives, pictures } from "../../../test/kernel-placement.ts";

const spatial = "0,0,1,1,0,0,1,1";
const padded = (pad: string, reader = "Conv(p, v)", pads = spatial, opset = 21) =>
  pictures(`c = Conv(x, w) p = ${pad} y = ${reader}`, opset, `, int64[8] pads = {${pads}}, float zero = {0.0}`);
const merged = "float: the runtime merges this padding into Conv";
const moved = "as c: Pad only moves what c holds";
test.each([
  ["zeros around the picture", padded("Pad(c, pads)"), merged],
  ["zeros that are named", padded(`Pad <mode = "constant"> (c, pads, zero)`), merged],
  ["on one side", padded("Pad(c, pads)", "Conv(p, v)", "0,0,0,0,0,0,2,1"), merged],
  ["of one line", padded("Pad(c, pads)", "Conv(p, v)", "0,0,1,0,0,0,0,0"), merged],
  ["a reader that says how it pads", padded("Pad(c, pads)", `Conv <auto_pad = "NOTSET"> (p, v)`), merged],
  ["a reader that pads by itself", padded("Pad(c, pads)", `Conv <auto_pad = "SAME_UPPER"> (p, v)`), moved],
  ["channels", padded("Pad(c, pads)", "Conv(p, v)", "0,1,1,1,0,0,1,1"), moved],
  ["pictures of the batch", padded("Pad(c, pads)", "Conv(p, v)", "0,0,1,1,1,0,1,1"), moved],
  ["a crop", padded("Pad(c, pads)", "Conv(p, v)", "0,0,1,1,0,0,-1,1"), moved],
  ["reflected pixels", padded(`Pad <mode = "reflect"> (c, pads)`), moved],
  ["pads that are computed", padded("Pad(c, i)"), moved],
  [
    "pads along named axes",
    padded("Pad(c, pads, zero, axes)").replace("float zero", "int64[4] axes = {0,1,2,3}, float zero"),
    moved,
  ],
  ["pads as an attribute", padded("Pad <pads = [0,0,1,1,0,0,1,1]> (c)", "Conv(p, v)", spatial, 9), moved],
  ["another reader", padded("Pad(c, pads)", "MaxPool <kernel_shape = [2,2]> (p) t = Conv(y, v)"), moved],
  ["two readers", padded("Pad(c, pads)", "Conv(p, v) t = Conv(p, u)"), moved],
  [
    "a cut that begins at zero",
    padded("Slice(c, zeros, ends)").replace(
      "float zero",
      "int64[4] zeros = {0,0,0,0}, int64[4] ends = {1,4,4,4}, float zero",
    ),
    "as c: Slice only moves what c holds",
  ],
  ["no pad", padded("Transpose <perm = [0,1,3,2]> (c)"), "as c: Transpose only moves what c holds"],
])("%s", (_, text, wanted) => {
  expect(about(text, "p")).toEqual([wanted]);
});

test("an output of the model is there for others, too", () => {
  const text = padded("Pad(c, pads)").replace("(float y)", "(float y, float p)");
  expect(about(text, "p")).toEqual([moved]);
});

test("of sequences along their one axis", () => {
  const text = `<ir_version: 8, opset_import: ["": 21]> f (float[1,4,8] x) => (float y) <float[4,4,1] w, float[4,4,1] v, int64[6] pads = {0,0,1,0,0,1}> {
    c = Conv(x, w) p = Pad(c, pads) y = Conv(p, v) }`;
  expect(about(text, "p c")).toEqual([merged, gives("Conv")]);
});
