/** The door in Node: types both ways, options, and an error with a code for everything that may go wrong. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseModel } from "../ir/index.ts";
import { type DType, Tensor } from "../tensor/index.ts";
import { openRuntime } from "./open-runtime.ts";
import { packModel } from "./pack-model-node.ts";

const runtime = await openRuntime();
const header = '<ir_version: 10, opset_import: ["" : 21]>';
const model = (text: string) => parseModel(`${header} ${text}`);
const failure = (code: string, parts: object = {}) => expect.objectContaining({ code, ...parts });

describe("values cross the door", () => {
  const samples: [DType, Tensor][] = [
    ["float32", Tensor.float32([3], [1.5, -2, 3])],
    ["float64", Tensor.of("float64", [3], Float64Array.of(1.5, -2, 1e300))],
    ["float16", Tensor.of("float16", [3], Uint16Array.of(0x3c00, 0xc000, 0x7bff))],
    ["int8", Tensor.of("int8", [3], Int8Array.of(-128, 0, 127))],
    ["uint8", Tensor.of("uint8", [3], Uint8Array.of(0, 1, 255))],
    ["int16", Tensor.of("int16", [3], Int16Array.of(-32768, 0, 7))],
    ["uint16", Tensor.of("uint16", [3], Uint16Array.of(0, 1, 65535))],
    ["int32", Tensor.of("int32", [3], Int32Array.of(-5, 0, 2147483647))],
    ["uint32", Tensor.of("uint32", [3], Uint32Array.of(0, 1, 4294967295))],
    ["int64", Tensor.int64([3], [-1n, 0n, 2n ** 62n])],
    ["uint64", Tensor.of("uint64", [3], BigUint64Array.of(0n, 1n, 2n ** 63n))],
    ["bool", Tensor.of("bool", [3], Uint8Array.of(0, 1, 1))],
    ["string", Tensor.of("string", [3], ["", "a", "é"])],
  ];
  test.each(samples)("%s", async (dtype, tensor) => {
    const text = { float32: "float", float64: "double" }[dtype as string] ?? dtype;
    await using session = await runtime.open(model(`g (${text}[N] x) => (${text}[N] y) { y = Identity(x) }`));
    expect(session.inputs).toEqual([{ name: "x", dtype, shape: ["N"] }]);
    const { y } = await session.run({ x: tensor });
    expect(y!.dtype).toBe(dtype);
    expect(y!.data).toEqual(tensor.data);
  });

  test("scalars and empty tensors", async () => {
    await using session = await runtime.open(
      model("g (float s, float[N, 2] e) => (float t, float[N, 2] f) { t = Neg(s) f = Neg(e) }"),
    );
    const { t, f } = await session.run({ s: Tensor.scalar(2), e: Tensor.float32([0, 2], []) });
    expect([t!.shape, t!.floats()[0], f!.shape]).toEqual([[], -2, [0, 2]]);
  });

  test("an int4 output is refused before it can abort the process, the others can be had", async () => {
    await using session = await runtime.open(
      model(`g (float[N] x) => (int4[N] q, float[N] y) <float s = {1.0}, int4 z = {0}>
        { q = QuantizeLinear(x, s, z) y = Neg(x) }`),
    );
    const feeds = { x: Tensor.float32([2], [1, 2]) };
    await expect(session.run(feeds)).rejects.toEqual(
      failure("runtime/unsupported-type", { detail: expect.anything() }),
    );
    expect((await session.run(feeds, ["y"])).y!.floats()).toEqual(Float32Array.of(-1, -2));
  });

  test("bfloat16 outputs, sequences and 4-bit inputs are refused with the same code", async () => {
    const refused = failure("runtime/unsupported-type");
    await expect(runtime.open(model("g (float[N] x) => (bfloat16[N] y) { y = Cast <to = 16> (x) }"))).rejects.toEqual(
      refused,
    );
    await using sequence = await runtime.open(
      model("g (float[N] x) => (seq(float[N]) y) { y = SequenceConstruct(x, x) }"),
    );
    await expect(sequence.run({ x: Tensor.float32([1], [1]) })).rejects.toEqual(refused);
    await using narrow = await runtime.open(model("g (uint4[4] x) => (float[4] y) { y = Cast <to = 1> (x) }"));
    await expect(narrow.run({ x: Tensor.of("uint4", [4], Uint8Array.of(0, 1)) })).rejects.toEqual(refused);
  });
});

describe("feeds are checked before the run", async () => {
  const text =
    "g (float[N, 3] x, int64[2] k) => (float[N, 3] y) { f = Cast <to = 1> (k) s = ReduceSum(f) y = Add(x, s) }";
  const good = { x: Tensor.float32([1, 3], [1, 2, 3]), k: Tensor.int64([2], [1, 2]) };
  const cases: [string, Record<string, Tensor>, string][] = [
    ["a missing input", { x: good.x }, "data/wrong-inputs"],
    ["an unknown input", { ...good, z: good.x }, "data/wrong-inputs"],
    ["another type", { ...good, x: Tensor.int64([1, 3], [1, 2, 3]) }, "data/wrong-dtype"],
    ["another length", { ...good, x: Tensor.float32([1, 2], [1, 2]) }, "data/wrong-shape"],
    ["another rank", { ...good, x: Tensor.float32([3], [1, 2, 3]) }, "data/wrong-shape"],
  ];
  test.each(cases)("%s", async (_, feeds, code) => {
    await using session = await runtime.open(model(text));
    await expect(session.run(feeds)).rejects.toEqual(failure(code));
  });

  test("dynamic lengths take anything", async () => {
    await using session = await runtime.open(model(text));
    const { y } = await session.run({ ...good, x: Tensor.float32([2, 3], [0, 0, 0, 1, 1, 1]) });
    expect([...y!.floats()]).toEqual([3, 3, 3, 4, 4, 4]);
  });

  test("an output that does not exist", async () => {
    await using session = await runtime.open(model(text));
    await expect(session.run(good, ["nope"])).rejects.toEqual(failure("graph/not-found"));
  });
});

describe("what the runtime says becomes an error with a code and a place", () => {
  test("an unknown operator", async () => {
    const open = runtime.open(model("g (float[N] x) => (float[N] y) { [first] y = Foo(x) }"));
    await expect(open).rejects.toEqual(
      failure("runtime/load", { detail: expect.objectContaining({ at: "Foo first" }) }),
    );
  });

  test("a node that fails", async () => {
    await using session = await runtime.open(
      model("g (float[N] x) => (float[A, B] y) <int64[2] s = {3, 5}> { [shaper] y = Reshape(x, s) }"),
    );
    await expect(session.run({ x: Tensor.float32([4], [1, 2, 3, 4]) })).rejects.toEqual(
      failure("runtime/run", { detail: expect.objectContaining({ at: "Reshape shaper" }) }),
    );
  });

  test("too little memory", async () => {
    await using session = await runtime.open(model("g (int64[1] n) => (float[M] y) { y = ConstantOfShape(n) }"));
    await expect(session.run({ n: Tensor.int64([1], [4e11]) })).rejects.toEqual(failure("runtime/out-of-memory"));
  });

  test("no file, no model, no provider", async () => {
    await expect(runtime.open("/nowhere/x.onnx")).rejects.toEqual(failure("runtime/load"));
    await expect(runtime.open(Uint8Array.of(1, 2, 3))).rejects.toEqual(failure("runtime/load"));
    const tiny = model("g (float[N] x) => (float[N] y) { y = Neg(x) }");
    await expect(runtime.open(tiny, { providers: ["nope"] })).rejects.toEqual(failure("runtime/load"));
  });
});

test("Q/DQ become integer kernels unless the option says no; the optimized graph can be had", async () => {
  const text = `g (float[1, 4] x) => (float[1, 2] y) <float[4, 2] w, float s = {0.1}, uint8 z = {128}, float t = {0.05}, int8 o = {0}>
    { xq = QuantizeLinear(x, s, z) xd = DequantizeLinear(xq, s, z)
      wq = QuantizeLinear(w, t, o) wd = DequantizeLinear(wq, t, o)
      m = MatMul(xd, wd) mq = QuantizeLinear(m, s, z) y = DequantizeLinear(mq, s, z) }`;
  const folder = mkdtempSync(join(tmpdir(), "avocet-test-"));
  const operators = async (fuseQdq: boolean) => {
    const path = join(folder, `${fuseQdq}.onnx`);
    await using _ = await runtime.open(parseModel(`${header} ${text}`, { seed: 1 }), {
      fuseQdq,
      optimizedModelPath: path,
    });
    const { readModelFile } = await import("../formats/index-node.ts");
    return [...readModelFile(path).graph.nodes].map((node) => node.op);
  };
  try {
    expect(await operators(true)).toContain("QLinearMatMul");
    expect(await operators(false)).not.toContain("QLinearMatMul");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a model too large for one file goes over the disk, and nothing stays there", async () => {
  const large = parseModel(
    `${header} g (float[1, 512] x) => (float[1, 512] y) <float[512, 512] w> { y = MatMul(x, w) }`,
    {
      seed: 3,
    },
  );
  const packed = await packModel(large, 1000);
  const path = packed.file as string;
  expect(readdirSync(join(path, "..")).length).toBeGreaterThan(1);
  const x = Tensor.float32(
    [1, 512],
    Float32Array.from({ length: 512 }, (_, i) => i / 512),
  );
  await using fromDisk = await runtime.open(path);
  await using fromBytes = await runtime.open(large);
  await packed.remove();
  expect(existsSync(path)).toBe(false);
  expect((await fromDisk.run({ x })).y!.data).toEqual((await fromBytes.run({ x })).y!.data);
});

test("a session that was disposed says so", async () => {
  const session = await runtime.open(model("g (float[N] x) => (float[N] y) { y = Neg(x) }"));
  await session[Symbol.asyncDispose]();
  await session[Symbol.asyncDispose]();
  await expect(session.run({ x: Tensor.float32([1], [1]) })).rejects.toThrow("internal:");
});
