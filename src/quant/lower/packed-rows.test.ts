/** Packed matrices by hand: where an integer lies, and what a node reads. */
import { expect, test } from "vitest";
import { named, parse } from "../../../test/hand-made-plan.ts";
import { Tensor } from "../../tensor/inner.ts";
import { parseGrid } from "../inner.ts";
import { constantBehind, packedMatrix } from "./packed-rows.ts";

test("two integers a byte, the first in the lowest bits, rows of outputs, a scale and a zero point for each block", () => {
  // [inputs, outputs] = [4, 2], blocks of two inputs: steps of 1 and 2, zero at 8 and 7 of 0 … 15.
  const weight = Tensor.float32([4, 2], Float32Array.of(-8, 1, 0, 2, 2, -7, 4, 8));
  const grid = parseGrid("int4");
  const packed = packedMatrix(
    weight,
    {
      grid: grid as never,
      granularity: { kind: "block", axis: 0, size: 2, channelAxis: 1 },
      symmetric: false,
      scale: [1, 1, 2, 1],
      offset: [-8, -8, -8, -7],
    },
    0,
  );
  // Output 0: −8, 0 in steps of 1, then 2, 4 in steps of 2; output 1: 1, 2 from 8 on, then −7, 8 from 7 on.
  expect([...packed.bytes]).toEqual([0x80, 0xa9, 0xa9, 0xf0]);
  expect([packed.bits, packed.block]).toEqual([4, 2]);
  expect([packed.scales.shape, packed.scales.numbers()]).toEqual([
    [2, 2],
    [1, 2, 1, 1],
  ]);
  expect(packed.zeroPoints!.numbers()).toEqual([0x88, 0x78]);
});

test("what a node reads is a constant, the one in front of a Reshape, or nothing", () => {
  const model = parse(
    "f (float[2,4] x) => (float[2,4] y) <float[4,2] w, int64[2] s = {2, 4}> { r = Reshape(w, s) n = Neg(x) y = Add(r, n) }",
  );
  const behind = (name: string) => constantBehind(named(model, name)!)?.name;
  expect([behind("w"), behind("r"), behind("n"), constantBehind(null)]).toEqual(["w", "w", "n", undefined]);
});
