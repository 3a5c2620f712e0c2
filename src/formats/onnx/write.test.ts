/** Writing: sizes are exact, data is handed on uncopied, names lead back to their values or the graph is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { modelSummary } from "../../../test/model-summary.ts";
import { AvocetError } from "../../base/inner.ts";
import { type Attribute, addNode, Graph, Model, tensorType, Value } from "../../ir/inner.ts";
import { byteLength, type DType, dtypes, sizeOf, Tensor } from "../../tensor/inner.ts";
import { encodeModel, readModel, writeModel } from "../inner.ts";

/** y = Relu(x) and whatever else `more` adds. */
function small(more: (graph: Graph, x: Value) => void = () => {}): Model {
  const graph = new Graph("small");
  const x = graph.addInput("x", tensorType("float32", ["n", 3]));
  more(graph, x);
  const relu = addNode(graph, "Relu", [x], {}, { output: "y", name: "relu" });
  relu.output.type = tensorType("float32", ["n", 3]);
  graph.addOutput(relu.output);
  return new Model(graph, [["", 21]]);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (AvocetError.is(error)) return error.code;
    throw error;
  }
  return "no error";
}

test("large tensors reach the sink as they are, from the model and from a file", () => {
  const weights = Tensor.float32([64, 64], new Float32Array(4096).fill(0.5));
  const model = small((graph) => graph.addInitializer("w", weights));
  const chunks: Uint8Array[] = [];
  encodeModel(model).writeTo((chunk) => chunks.push(chunk));
  expect(chunks.some((chunk) => chunk.buffer === (weights.data as Float32Array).buffer)).toBe(true);

  const bytes = writeModel(model);
  expect(bytes.length).toBe(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  const again: Uint8Array[] = [];
  encodeModel(readModel(bytes)).writeTo((chunk) => again.push(chunk));
  expect(again.some((chunk) => chunk.buffer === bytes.buffer)).toBe(true);
});

test("an aligned tensor is a view of the file, another one a copy made when it is looked at", () => {
  const bytes = writeModel(small((graph) => graph.addInitializer("w", Tensor.float32([2], [1, 2]))));
  const shared: boolean[] = [];
  for (let shift = 0; shift < 4; shift++) {
    const moved = new Uint8Array(bytes.length + shift).subarray(shift);
    moved.set(bytes);
    const data = readModel(moved).graph.valuesByName().get("w")!.initializer!.floats();
    expect(data).toEqual(Float32Array.of(1, 2));
    shared.push(data.buffer === moved.buffer);
  }
  expect(shared.filter(Boolean)).toHaveLength(1);
});

test("a Buffer is read like any bytes", () => {
  const bytes = Buffer.from(writeModel(small((graph) => graph.addInitializer("w", Tensor.float32([2], [1, 2])))));
  for (let shift = 0; shift < 4; shift++) {
    const moved = Buffer.concat([Buffer.alloc(shift), bytes]).subarray(shift);
    expect(readModel(moved).graph.valuesByName().get("w")!.initializer!.floats()).toEqual(Float32Array.of(1, 2));
  }
});

test("lazy tensors are released once they are written", () => {
  let loads = 0;
  const load = () => {
    loads++;
    return new Float32Array(4);
  };
  const model = small((graph) => graph.addInitializer("w", Tensor.lazy("float32", [4], load)));
  writeModel(model);
  writeModel(model);
  expect(loads).toBe(2);
});

describe("graphs that no file can say", () => {
  const cases: Record<string, () => Model> = {
    "two values of one name": () =>
      small((graph, x) => {
        const { output } = addNode(graph, "Abs", [x], {}, { output: "a" });
        output.name = "x";
      }),
    "a value of no graph": () => small((graph) => addNode(graph, "Abs", [new Value("z")])),
    "a value that is computed later": () =>
      small((graph, x) => {
        const first = addNode(graph, "Abs", [x]);
        const second = addNode(graph, "Neg", [x]);
        graph.setInput(first, 0, second.output);
      }),
    "an output that nobody computes": () => small((graph) => graph.addOutput(new Value("nothing"))),
    "an initializer without data": () =>
      small((graph) => {
        graph.addInitializer("w", Tensor.scalar(1)).initializer = undefined;
      }),
    "a fraction in a list of whole numbers": () =>
      small((graph, x) => addNode(graph, "Op", [x], { a: { type: "ints", value: [1, 0.5] } })),
    "a whole number beyond 64 bits": () => small((graph, x) => addNode(graph, "Op", [x], { a: 2n ** 63n })),
  };
  test.each(Object.entries(cases))("%s", (_, make) => {
    expect(codeOf(() => writeModel(make()))).toBe("graph/invalid");
  });
});

test("names, shapes and attributes of any text and value survive", () => {
  const whole = fc.oneof(
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).filter((v) => !Number.isSafeInteger(Number(v))),
  );
  const text = fc.string({ unit: "grapheme" });
  const attribute: fc.Arbitrary<Attribute> = fc.oneof(
    fc.record({ type: fc.constant("float" as const), value: fc.float() }),
    fc.record({ type: fc.constant("int" as const), value: whole }),
    fc.record({ type: fc.constant("string" as const), value: text }),
    fc.record({ type: fc.constant("floats" as const), value: fc.array(fc.float()) }),
    fc.record({ type: fc.constant("ints" as const), value: fc.array(whole) }),
    fc.record({ type: fc.constant("strings" as const), value: fc.array(text) }),
  );
  const attributes = fc.dictionary(text, attribute);
  fc.assert(
    fc.property(attributes, text, fc.array(fc.oneof(fc.nat(), text, fc.constant(null))), (entries, note, shape) => {
      const model = small((graph, x) => {
        const node = addNode(graph, "Op", [x, null], entries, { outputs: ["a", note && `${note}!`] });
        node.docString = note;
        node.metadata.set(note, note);
        // An empty name of a dimension means that nothing is known.
        node.output.type = tensorType(
          "float32",
          shape.map((dim) => (dim === "" ? null : dim)),
        );
      });
      const again = readModel(writeModel(model));
      expect(modelSummary(again)).toEqual(modelSummary(model));
    }),
    { seed: 11, numRuns: 200 },
  );
});

test("tensors of every type and any bits survive, NaN payloads included", () => {
  const numeric = (Object.keys(dtypes) as DType[]).filter((dtype) => dtype !== "string");
  fc.assert(
    fc.property(
      fc.constantFrom(...numeric),
      fc.array(fc.nat({ max: 5 }), { maxLength: 4 }),
      fc.infiniteStream(fc.nat({ max: 255 })),
      (dtype, shape, stream) => {
        const bytes = Uint8Array.from({ length: byteLength(dtype, sizeOf(shape)) }, () => stream.next().value);
        const model = small((graph) => graph.addInitializer("w", Tensor.fromBytes(dtype, shape, bytes)));
        const again = readModel(writeModel(model)).graph.valuesByName().get("w")!.initializer!;
        expect(again).toMatchObject({ dtype, shape });
        expect(again.bytes).toEqual(bytes);
      },
    ),
    { seed: 12, numRuns: 300 },
  );
});
