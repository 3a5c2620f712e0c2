/** Host tensors: sizes that are checked, data that is loaded when needed, bytes, numbers of every type. */
import { Buffer } from "node:buffer";
import { describe, expect, test, vi } from "vitest";
import { AvocetError } from "../base/inner.ts";
import { type DType, dtypes } from "./dtype.ts";
import { toFloat16Bits } from "./float16.ts";
import { packBits } from "./packing.ts";
import { sizeOf, Tensor } from "./tensor.ts";

const code = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return AvocetError.is(error) ? error.code : error;
  }
  return "no error";
};

describe("data and shape agree", () => {
  test("in number, type and sign", () => {
    expect(code(() => Tensor.float32([2, 3], [1]))).toBe("tensor/wrong-size");
    expect(code(() => Tensor.of("int8", [1], new Uint8Array(1)))).toBe("tensor/wrong-dtype");
    expect(code(() => Tensor.of("float32", [-1, -1], new Float32Array(1)))).toBe("tensor/wrong-size");
    expect(code(() => Tensor.lazy("float32", [1.5], () => new Float32Array(1)))).toBe("tensor/wrong-size");
    expect(code(() => Tensor.fromBytes("int16", [2], new Uint8Array(3)))).toBe("tensor/wrong-size");
    expect(code(() => Tensor.lazy("float32", [2], () => new Float32Array(1)).data)).toBe("tensor/wrong-size");
    expect(code(() => Tensor.float32([2], [1, 2]).reshape([3]))).toBe("tensor/wrong-size");
  });

  test("scalars have one element, empty tensors none", () => {
    expect([sizeOf([]), sizeOf([2, 0, 3]), sizeOf([2, 3])]).toEqual([1, 0, 6]);
    expect(Tensor.scalar(2.5).numbers()).toEqual([2.5]);
    expect(Tensor.scalar(2, "int64").data).toEqual(BigInt64Array.of(2n));
    expect(Tensor.float32([0, 4], []).numbers()).toEqual([]);
  });

  test("packed and complex types count elements, not array entries", () => {
    expect(Tensor.of("int4", [3], new Uint8Array(2)).size).toBe(3);
    expect(Tensor.of("complex64", [2], new Float32Array(4)).size).toBe(2);
    expect(Tensor.of("int4", [3], new Uint8Array(2)).byteLength).toBe(2);
    expect(Tensor.of("string", [1], ["a"]).byteLength).toBe(0);
  });
});

describe("lazy data", () => {
  test("is loaded once, again after release, and not for a reshape", () => {
    const load = vi.fn(() => Float32Array.of(1, 2));
    const tensor = Tensor.lazy("float32", [2], load);
    const reshaped = tensor.reshape([2, 1]);
    expect([tensor.size, tensor.byteLength, reshaped.shape]).toEqual([2, 8, [2, 1]]);
    expect(load).not.toHaveBeenCalled();
    expect([tensor.data, tensor.data]).toEqual([Float32Array.of(1, 2), Float32Array.of(1, 2)]);
    expect(load).toHaveBeenCalledTimes(1);
    tensor.release();
    expect(reshaped.numbers()).toEqual([1, 2]);
    expect(load).toHaveBeenCalledTimes(2);
  });

  test("more elements than an array holds are no numbers, and nothing is loaded for them", () => {
    const large = Tensor.lazy("uint8", [2 ** 27], () => {
      throw new Error("loaded");
    });
    expect(() => large.numbers()).toThrow("expected at most 100000000 elements, got 134217728");
  });

  test("what was loaded first makes room for what is loaded later, and is loaded again", () => {
    const loads = [0, 0, 0, 0];
    // Four times 100 MB, of which two fit into the budget; nobody writes into the pages, so that they cost no memory.
    const tensors = loads.map((_, i) =>
      Tensor.lazy("uint8", [1e8], () => {
        loads[i]!++;
        return new Uint8Array(1e8);
      }),
    );
    for (const tensor of tensors) expect(tensor.data.length).toBe(1e8);
    expect(tensors[3]!.data).toBe(tensors[3]!.data);
    expect(loads).toEqual([1, 1, 1, 1]);
    tensors[2]!.data;
    tensors[0]!.data;
    expect(loads).toEqual([2, 1, 1, 1]);
    tensors[2]!.data;
    expect(loads).toEqual([2, 1, 2, 1]);
    for (const tensor of tensors) tensor.release();
  });

  test("data that cannot be loaded again is not released", () => {
    const tensor = Tensor.float32([1], [3]);
    tensor.release();
    expect(tensor.numbers()).toEqual([3]);
  });
});

describe("bytes", () => {
  test("are a view where alignment allows, a copy where not, also of Node's buffers", () => {
    const store = new Uint8Array(16);
    new DataView(store.buffer).setFloat32(4, 1.5, true);
    new DataView(store.buffer).setFloat32(9, -2.5, true);
    const aligned = Tensor.fromBytes("float32", [1], store.subarray(4, 8));
    expect((aligned.data as Float32Array).buffer).toBe(store.buffer);
    expect(aligned.numbers()).toEqual([1.5]);
    expect(Tensor.fromBytes("float32", [1], store.subarray(9, 13)).numbers()).toEqual([-2.5]);
    expect(Tensor.fromBytes("float32", [1], Buffer.from(store.buffer, 9, 4)).numbers()).toEqual([-2.5]);
  });

  test("of every type come back", () => {
    for (const dtype of Object.keys(dtypes) as DType[]) {
      if (dtype === "string") continue;
      const bytes = Uint8Array.from({ length: Math.ceil((dtypes[dtype].bits * 4) / 8) }, (_, i) => i + 1);
      expect(Tensor.fromBytes(dtype, [4], bytes).bytes, dtype).toEqual(bytes);
    }
    expect(code(() => Tensor.of("string", [1], ["a"]).bytes)).toBe("tensor/wrong-dtype");
  });
});

describe("numbers", () => {
  test.each<[DType, Tensor]>([
    ["float64", Tensor.of("float64", [2], Float64Array.of(-1, 2))],
    ["float16", Tensor.of("float16", [2], Uint16Array.of(toFloat16Bits(-1), toFloat16Bits(2)))],
    ["bfloat16", Tensor.of("bfloat16", [2], Uint16Array.of(0xbf80, 0x4000))],
    ["float8e4m3fn", Tensor.of("float8e4m3fn", [2], Uint8Array.of(0xb8, 0x40))],
    ["float4e2m1", Tensor.of("float4e2m1", [2], packBits([0b1010, 0b0100], 4))],
    ["int8", Tensor.of("int8", [2], Int8Array.of(-1, 2))],
    ["int64", Tensor.int64([2], [-1, 2n])],
    ["int4", Tensor.of("int4", [2], packBits([-1, 2], 4))],
  ])("of %s", (_, tensor) => {
    expect(tensor.numbers()).toEqual([-1, 2]);
    expect(tensor.floats()).toEqual(Float32Array.of(-1, 2));
  });

  test("float32 data is not copied, bools are 0 and 1, others are refused", () => {
    const tensor = Tensor.float32([1], Float32Array.of(7));
    expect(tensor.floats()).toBe(tensor.data);
    expect(Tensor.of("bool", [2], Uint8Array.of(1, 0)).numbers()).toEqual([1, 0]);
    expect(code(() => Tensor.of("complex64", [1], new Float32Array(2)).numbers())).toBe("tensor/wrong-dtype");
    expect(code(() => Tensor.of("string", [1], ["1"]).numbers())).toBe("tensor/wrong-dtype");
    expect(code(() => Tensor.of("complex64", [1], new Float32Array(2)).floats())).toBe("tensor/wrong-dtype");
  });
});
