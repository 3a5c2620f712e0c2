/** Damaged, hostile and foreign bytes: always an AvocetError that names the file, never a crash, a hang or a full memory. */
import { readFileSync } from "node:fs";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { AvocetError, Random } from "../../base/inner.ts";
import { check } from "../../ir/inner.ts";
import { readModel, writeModel } from "../inner.ts";
import { initializersOf } from "./shards.ts";

const text = readFileSync(new URL("everything.onnx.txt", import.meta.url), "latin1");
const everything = new Uint8Array(Buffer.from(text, "base64"));

function errorOf(bytes: Uint8Array): AvocetError {
  try {
    readModel(bytes, { name: "bad.onnx" });
  } catch (error) {
    if (AvocetError.is(error)) return error;
    throw error;
  }
  throw new Error("expected an error");
}

/** A message built by hand: field number → bytes, text, number, or nested messages. */
type Field = readonly [no: number, value: number | string | Uint8Array];
function wire(...fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [no, value] of fields) {
    if (typeof value === "number") writer.tag(no, WireType.Varint).int64(value);
    else if (typeof value === "string") writer.tag(no, WireType.LengthDelimited).string(value);
    else writer.tag(no, WireType.LengthDelimited).bytes(value);
  }
  return writer.finish();
}

function modelWith(...graph: readonly Field[]): Uint8Array {
  return wire([1, 8], [8, wire([1, ""], [2, 17])], [7, wire(...graph)]);
}

const tensor = (...fields: readonly Field[]) => modelWith([5, wire([8, "w"], ...fields)]);
const node = (op: string, input: string, output: string) => wire([1, input], [2, output], [4, op]);
const info = (name: string) => wire([1, name]);

describe("files that are damaged", () => {
  const cases: Record<string, readonly [Uint8Array, string]> = {
    "an empty file": [new Uint8Array(), "import/truncated"],
    "half a file": [everything.subarray(0, everything.length / 2), "import/truncated"],
    "a varint without end": [
      Uint8Array.of(8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      "import/malformed",
    ],
    "a field of the wrong wire type": [Uint8Array.of(8, 8, 0x38, 1), "import/malformed"],
    "a field that is longer than its message": [wire([1, 8], [7, Uint8Array.of(0x0a, 0x7f)]), "import/malformed"],
    "a length near 2³²": [Uint8Array.of(8, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f), "import/truncated"],
    "no graph": [wire([1, 8]), "import/malformed"],
    "an operator set version below zero": [wire([1, 8], [8, wire([2, -1])], [7, wire()]), "import/malformed"],
  };
  test.each(Object.entries(cases))("%s", (_, [bytes, code]) => {
    expect(errorOf(bytes)).toMatchObject({ code, detail: { at: expect.stringContaining("bad.onnx") } });
  });
});

describe("tensors that do not add up", () => {
  const cases: Record<string, readonly [Uint8Array, string]> = {
    "too few bytes": [tensor([1, 4], [2, 1], [9, new Uint8Array(12)]), "import/malformed"],
    "a shape of petabytes": [tensor([1, 2 ** 25], [1, 2 ** 25], [2, 1], [9, new Uint8Array(4)]), "import/malformed"],
    "a shape beyond 2⁵³": [tensor([1, 2 ** 40], [1, 2 ** 40], [2, 1]), "import/malformed"],
    "a negative dimension": [tensor([1, -1], [2, 1]), "import/malformed"],
    "too many dimensions": [tensor(...Array<[number, number]>(65).fill([1, 1]), [2, 1]), "import/malformed"],
    "no data": [tensor([1, 4], [2, 1]), "import/malformed"],
    "typed data of the wrong count": [tensor([1, 3], [2, 7], [7, Uint8Array.of(1, 2)]), "import/malformed"],
    "typed data that is cut": [tensor([1, 2], [2, 7], [7, Uint8Array.of(1, 0x80)]), "import/malformed"],
    "an unknown element type": [tensor([2, 99], [9, new Uint8Array(4)]), "import/unsupported-type"],
    "no element type": [tensor([9, new Uint8Array(4)]), "import/unsupported-type"],
    "no name": [modelWith([5, wire([2, 1], [9, new Uint8Array(4)])]), "import/malformed"],
  };
  test.each(Object.entries(cases))("%s", (_, [bytes, code]) => {
    expect(errorOf(bytes)).toMatchObject({ code, detail: { at: expect.stringContaining("bad.onnx") } });
  });
});

describe("graphs that do not fit together", () => {
  const x = [11, info("x")] as const;
  const cases: Record<string, readonly [Uint8Array, string]> = {
    "a value that nothing computes": [
      modelWith(x, [1, node("Relu", "nowhere", "y")]),
      "reads nowhere, which nothing computes",
    ],
    "nodes that are not sorted": [
      modelWith(x, [1, node("Relu", "b", "c")], [1, node("Relu", "x", "b")]),
      "Relu → c reads b before it is computed",
    ],
    "a cycle": [modelWith([1, node("Relu", "a", "b")], [1, node("Relu", "b", "a")]), "reads a before it is computed"],
    "a node that reads itself": [modelWith([1, node("Relu", "a", "a")]), "reads a before it is computed"],
    "two nodes with one output": [
      modelWith(x, [1, node("Relu", "x", "y")], [1, node("Abs", "x", "y")]),
      "Abs → y defines y",
    ],
    "two inputs of one name": [modelWith(x, x), "an input defines x"],
    "an output that is never computed": [modelWith(x, [12, info("y")]), "the output y of graph"],
    "a node without operator": [modelWith(x, [1, wire([1, "x"], [2, "y"])]), "has no operator type"],
    "the same attribute twice": [
      modelWith(x, [
        1,
        wire([1, "x"], [2, "y"], [4, "Elu"], [5, wire([1, "a"], [20, 2])], [5, wire([1, "a"], [20, 2])]),
      ]),
      "has the attribute a twice",
    ],
    "a function that calls itself": [
      wire([1, 8], [7, wire()], [25, wire([1, "F"], [4, "a"], [5, "b"], [7, node("F", "a", "b")])]),
      "the function F calls itself",
    ],
  };
  test.each(Object.entries(cases))("%s", (_, [bytes, message]) => {
    const error = errorOf(bytes);
    expect(error.code).toBe("import/malformed");
    expect(error.message).toContain(message);
  });

  test("many faults are listed once, the first twenty of them", () => {
    const nodes = Array.from({ length: 30 }, (_, i) => [1, node("Relu", `missing${i}`, `y${i}`)] as const);
    expect(errorOf(modelWith(...nodes)).message).toMatch(/missing19, .*\n {2}and 10 more$/);
  });
});

describe("attributes", () => {
  const attribute = (...fields: readonly Field[]) =>
    modelWith([1, wire([2, "y"], [4, "Op"], [5, wire([1, "a"], ...fields)])]);
  test("an unknown kind, and a value that is missing", () => {
    expect(errorOf(attribute([20, 77])).code).toBe("import/unsupported-type");
    expect(errorOf(attribute([20, 4])).code).toBe("import/malformed");
  });

  test("files before IR version 2 do not state the kind", () => {
    const model = readModel(attribute([8, 3], [8, 4]));
    const [one] = model.graph.nodes;
    expect(one!.attributes.get("a")).toEqual({ type: "ints", value: [3, 4] });
  });

  test("lists may be packed", () => {
    const model = readModel(attribute([20, 7], [8, Uint8Array.of(3, 4)], [8, 5]));
    const [one] = model.graph.nodes;
    expect(one!.ints("a")).toEqual([3, 4, 5]);
  });
});

describe("absurd amounts", () => {
  test("nesting: bodies in bodies in bodies", () => {
    let graph = wire([2, "innermost"]);
    for (let i = 0; i < 5000; i++)
      graph = wire([1, wire([2, `y${i}`], [4, "Op"], [5, wire([1, "g"], [6, graph], [20, 5])])]);
    expect(errorOf(wire([1, 8], [7, graph])).message).toContain("nested messages");
  });

  test("groups in groups, which protobuf has and ONNX has not", () => {
    const groups = Array.from({ length: 10000 }, () => [0xa3, 0x06]).flat();
    expect(errorOf(Uint8Array.of(8, 8, ...groups)).code).toBe("import/malformed");
  });

  test("three million empty nodes in six megabytes", () => {
    const graph = new Uint8Array(6_000_000);
    for (let i = 0; i < graph.length; i += 2) graph[i] = 0x0a;
    expect(errorOf(wire([1, 8], [7, graph])).code).toBe("import/too-large");
  });
});

describe("what is no ONNX model at all", () => {
  const cases: Record<string, string> = {
    "PK\x03\x04\x14\0\0\0": "zip",
    "\x89HDF\r\n\x1a\n": "HDF5",
    '{"format": "graph-model"}': "TensorFlow.js",
    "hello, this is text": "text",
    "\x1f\x8b\x08\0": "gzip",
    "version https://git-lfs.github.com/spec/v1": "Git LFS",
    "\x80\x02}q\0X": "pickle",
    "\x80\x09}q\0X": "something else",
    "\0\0\0\0\0\0\0\0": "something else",
  };
  test.each(Object.entries(cases))("%j", (head, what) => {
    const error = errorOf(new Uint8Array(Buffer.from(head, "latin1")));
    expect(error.code).toBe("import/unknown-format");
    expect(error.message).toContain(what);
  });
});

test("2,000 cut and flipped variants of a model are refused or read, whatever was hit", () => {
  const random = new Random(7);
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 2000; i++) {
    const bytes = i % 4 === 0 ? everything.slice(0, random.integer(everything.length)) : everything.slice();
    if (i % 4 !== 0) {
      for (let flips = 1 + random.integer(4); flips > 0; flips--) {
        const at = random.integer(bytes.length);
        bytes[at] = bytes[at]! ^ (1 << random.integer(8));
      }
    }
    const outcome = outcomeOf(bytes);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  // Both ways must really happen, or the test shows nothing.
  expect(outcomes.get("read")).toBeGreaterThan(200);
  expect(outcomes.get("import/malformed")).toBeGreaterThan(200);
  expect(outcomes.get("import/truncated")).toBeGreaterThan(200);
});

/** Reads, looks at everything, and writes; any error that is not an AvocetError fails the test. */
function outcomeOf(bytes: Uint8Array): string {
  try {
    const model = readModel(bytes, { name: "fuzz.onnx" });
    check(model);
    for (const tensor of initializersOf(model)) void tensor.data;
    readModel(writeModel(model));
    return "read";
  } catch (error) {
    if (!AvocetError.is(error)) throw error;
    expect(error.code).toMatch(/^import\/|^graph\/invalid-node$/);
    expect(error.detail.at).toContain("fuzz.onnx");
    return error.code;
  }
}
