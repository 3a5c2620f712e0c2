/** A SavedModel as TensorFlow writes it, and recurrent layers of Keras, against TensorFlow (tools/tensorflow_saved_goldens.py). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { AvocetError } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { type DType, type Feeds, Tensor } from "../../tensor/inner.ts";
import { bytesSource } from "../byte-source.ts";
import { arrayOf } from "../channels-last/content.ts";
import { Faults } from "../onnx/scope.ts";
import type { SourceChoices } from "../source-format.ts";
import { graphFromJson, type Json } from "../tfjs/json.ts";
import { graphFromProto, reference } from "./graph.ts";
import { importGraph } from "./import.ts";
import { savedModel } from "./read.ts";

interface Numbers {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

interface Step {
  readonly inputs: Readonly<Record<string, Numbers>>;
  readonly outputs: Readonly<Record<string, Numbers>>;
}

interface Golden {
  readonly saved: {
    readonly files: Readonly<Record<string, string>>;
    readonly steps: readonly Step[];
    readonly other: Step;
  };
  readonly recurrent: readonly {
    readonly name: string;
    readonly graph: Json;
    readonly from: string;
    readonly input: Numbers;
    readonly output: Numbers;
  }[];
}

const { saved, recurrent } = JSON.parse(readFileSync(new URL("golden/saved.json", import.meta.url), "utf8")) as Golden;
const files = new Map(
  Object.entries(saved.files).map(([name, text]) => [name, new Uint8Array(Buffer.from(text, "base64"))]),
);

const tensorOf = ({ dtype, shape, values }: Numbers): Tensor => Tensor.of(dtype, shape, arrayOf(dtype, values));
const feedsOf = (step: Step): Feeds =>
  Object.fromEntries(Object.entries(step.inputs).map(([name, one]) => [name, tensorOf(one)]));

/** A few roundings of float32. */
function expectClose(y: Tensor | undefined, expected: Numbers): void {
  expect(y?.shape).toEqual(expected.shape);
  y!.numbers().forEach((value, i) => {
    expect(Math.abs(value - expected.values[i]!), `element ${i}`).toBeLessThanOrEqual(
      1e-5 * (1 + Math.abs(expected.values[i]!)),
    );
  });
}

function read(choices: SourceChoices = {}): Model {
  const external = (location: string) => {
    const bytes = files.get(location);
    if (!bytes) throw new AvocetError("import/not-found", `expected ${location}, got nothing`);
    return bytesSource(location, bytes);
  };
  return savedModel.read({ name: "saved_model.pb", bytes: files.get("saved_model.pb")!, external, choices });
}

describe("a SavedModel", () => {
  test("answers as TensorFlow, and the state that it writes goes out and comes in again", async () => {
    const model = read();
    expect(model.graph.inputs.map((input) => input.name)).toEqual(["image", "place", "mean"]);
    expect(model.graph.outputs.map((output) => output.name)).toEqual(["drift", "scores", "mean_next"]);
    const runtime = await openRuntime();
    await using session = await runtime.open(model);
    let mean = Tensor.float32([4], [0, 0, 0, 0]);
    for (const step of saved.steps) {
      const made = await session.run({ ...feedsOf(step), mean });
      for (const [name, expected] of Object.entries(step.outputs)) expectClose(made[name], expected);
      mean = made.mean_next!;
    }
  });

  test("has several signatures: one is chosen by name", async () => {
    const runtime = await openRuntime();
    await using session = await runtime.open(read({ signature: "other" }));
    expectClose((await session.run(feedsOf(saved.other))).y, saved.other.outputs.y!);
    expect(() => read({ signature: "third" })).toThrow(
      /the model has serving_default, other|the model has other, serving_default/,
    );
  });

  test("weights keep their names, and images can come channels first", () => {
    const model = read({ channelsFirst: true });
    const names = Array.from(model.graph.initializers, (value) => value.name);
    expect(names).toEqual(expect.arrayContaining(["kernel", "bias", "table"]));
    expect(model.graph.inputs[0]?.type).toMatchObject({ shape: ["batch", 2, 6, 6] });
    expect(Array.from(model.graph.nodes, (node) => node.op)).not.toContain("Transpose");
  });

  test("without its variables says what is missing", () => {
    const bytes = files.get("saved_model.pb")!;
    expect(() => savedModel.read({ name: "saved_model.pb", bytes })).toThrow(
      /expected the variables of the SavedModel/,
    );
  });
});

/** What each network becomes: cells that are exactly ONNX's are its operators, others stay loops. */
const cells: Readonly<Record<string, readonly string[]>> = {
  "LSTM, then GRU": ["LSTM", "GRU"],
  "LSTM backwards, without bias, other activations": ["Loop"],
  "GRU reset before": ["Loop"],
  SimpleRNN: ["Loop"],
  Bidirectional: ["LSTM", "LSTM"],
  "steps and causal convolution": [],
};

describe("recurrent layers of Keras", () => {
  test.each(recurrent.flatMap((one) => ["batch" as const, 2 as const].map((batch) => ({ ...one, batch }))))(
    "$name, batch $batch",
    async ({ name, graph, from, input, output, batch }) => {
      const model = importGraph({
        file: "golden",
        graph: graphFromProto(graphFromJson(graph, "golden"), "golden", new Faults()),
        inputs: [{ name: "x", node: "x", dtype: "float32", shape: batch === 2 ? [2, 5, 4] : [null, 5, 4] }],
        outputs: [{ name: "y", from: reference(from, false) }],
      });
      const made = Array.from(model.graph.nodes, (node) => node.op).filter((op) => /LSTM|GRU|Loop/.test(op));
      expect(made).toEqual(cells[name]);
      const runtime = await openRuntime();
      await using session = await runtime.open(model);
      expectClose((await session.run({ x: tensorOf(input) })).y, output);
    },
  );
});
