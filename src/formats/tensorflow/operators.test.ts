/** Every row of the table of operators in ONNX Runtime, against TensorFlow (tools/tensorflow_operator_goldens.py). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { AvocetError } from "../../base/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { type DType, type Feeds, Tensor } from "../../tensor/inner.ts";
import { arrayOf } from "../channels-last/content.ts";
import { Faults } from "../onnx/scope.ts";
import { graphFromJson, type Json } from "../tfjs/json.ts";
import { graphFromProto, reference } from "./graph.ts";
import { importGraph, type Source } from "./import.ts";
import { operatorRows } from "./operators.ts";

interface Numbers {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: readonly (number | string)[];
}

interface Case {
  readonly op: string;
  readonly note: string;
  readonly graph: Json;
  readonly inputs: Readonly<Record<string, Numbers>>;
  readonly outputs: readonly (Numbers & { readonly from: string })[];
}

const { cases } = JSON.parse(readFileSync(new URL("golden/operators.json", import.meta.url), "utf8")) as {
  cases: readonly Case[];
};

const tensorOf = ({ dtype, shape, values }: Numbers): Tensor =>
  Tensor.of(dtype, shape, arrayOf(dtype, values.map(Number)));

/** How much the importer is told of the lengths: all, all but the first, none. */
const knowledge = { all: () => true, "all but the batch": (axis: number) => axis > 0, none: () => false } as const;

function sourceOf({ graph, inputs, outputs }: Case, knows: (axis: number) => boolean): Source {
  const faults = new Faults();
  const made = graphFromProto(graphFromJson(graph, "golden"), "golden", faults);
  expect(faults.shown).toEqual([]);
  return {
    file: "golden",
    graph: made,
    inputs: Object.entries(inputs).map(([name, { dtype, shape }]) => ({
      name,
      node: name,
      dtype,
      shape: shape.map((length, axis) => (knows(axis) ? length : null)),
    })),
    outputs: outputs.map(({ from }, i) => ({ name: `output_${i}`, from: reference(from, false) })),
  };
}

/** A few roundings of float32 in sums and functions: 1e-5 of the number, and as much of one. */
const roundings = 1e-5;

/** TensorFlow's cubic weights come from a table of 1,024 places, ours are exact. */
const byTable = 2e-3;

function expectClose(y: Tensor, expected: Numbers, tolerance: number): void {
  expect([y.dtype, ...y.shape]).toEqual([expected.dtype, ...expected.shape]);
  const numbers = y.numbers();
  expected.values.forEach((value, i) => {
    const wanted = Number(value);
    if (!Number.isFinite(wanted)) expect(numbers[i]).toBe(wanted);
    else expect(Math.abs(numbers[i]! - wanted), `element ${i}`).toBeLessThanOrEqual(tolerance * (1 + Math.abs(wanted)));
  });
}

/** Rows that have no case here, and where they are shown. */
const withoutCase: Readonly<Record<string, string>> = {
  AssignAddVariableOp: "state.test.ts",
  AssignSubVariableOp: "state.test.ts",
  AssignVariableOp: "saved.test.ts: the state",
  Case: "the same as StatelessCase",
  FusedDepthwiseConv2dNative: "TensorFlow.js's own: state.test.ts",
  Prelu: "TensorFlow.js's own: fixtures.test.ts",
  ReadVariableOp: "saved.test.ts: weights",
  RefMerge: "the same as Merge",
  RefSwitch: "the same as Switch",
  ResourceGather: "saved.test.ts: the table",
  StatefulPartitionedCall: "saved.test.ts: signatures",
  TensorListLength: "state.test.ts",
  VarHandleOp: "saved.test.ts: weights",
  Variable: "the same as VariableV2",
  VariableV2: "state.test.ts",
  While: "the same as StatelessWhile, and saved.test.ts: recurrent layers",
};

test("every row has a case", () => {
  const seen = new Set<string>();
  for (const { graph } of cases) {
    const functions = ((graph.library as Json | undefined)?.function ?? []) as readonly Json[];
    for (const list of [graph.node, ...functions.map((one) => one.nodeDef)]) {
      for (const node of (list ?? []) as readonly Json[]) seen.add(String(node.op));
    }
  }
  expect(
    Object.keys(operatorRows)
      .filter((op) => !seen.has(op))
      .sort(),
  ).toEqual(Object.keys(withoutCase).sort());
});

describe.each(Object.entries(knowledge))("%s of the lengths known", (name, knows) => {
  test.each(cases.map((one) => [`${one.op} ${one.note}`, one] as const))("%s", async (_, one) => {
    const feeds: Feeds = Object.fromEntries(Object.entries(one.inputs).map(([key, value]) => [key, tensorOf(value)]));
    let model: ReturnType<typeof importGraph>;
    try {
      model = importGraph(sourceOf(one, knows));
    } catch (error) {
      // What depends on lengths that are not known may be refused, never be wrong.
      if (name === "all" || !AvocetError.is(error) || error.code !== "import/unsupported-operator") throw error;
      return;
    }
    const runtime = await openRuntime();
    await using session = await runtime.open(model, { optimization: "off" });
    const made = await session.run(feeds);
    one.outputs.forEach((expected, i) => {
      expectClose(made[`output_${i}`]!, expected, one.op === "ResizeBicubic" ? byTable : roundings);
    });
  });
});
