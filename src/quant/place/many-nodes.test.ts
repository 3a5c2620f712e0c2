/** Placement takes time with the size of a graph, not with its square, and no stack. */
import { describe, expect, test } from "vitest";
import { inferTypes } from "../../facts/inner.ts";
import { addNode, Graph, Model, tensorType, type Value } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { builtinTarget } from "../targets/targets.ts";
import { place } from "./place.ts";

describe("graphs of 20,000 nodes", () => {
  const network = (between: (graph: Graph, x: Value) => Value) => {
    const graph = new Graph("many");
    const weight = () => graph.addInitializer("w", Tensor.float32([4, 4], new Float32Array(16).fill(0.5)));
    const x = graph.addInput("x", tensorType("float32", ["N", 4]));
    const first = addNode(graph, "MatMul", [x, weight()]).output;
    const last = addNode(graph, "MatMul", [between(graph, first), weight()]).output;
    last.type = tensorType("float32", ["N", 4]);
    graph.addOutput(last);
    const model = new Model(graph, [["", 21]]);
    return new Map(
      place(model, builtinTarget("ort-cpu"), { shapes: inferTypes(model) }).entries.map((e) => [e.value, e]),
    );
  };

  test("that only move data, one behind the other, are no recursion", () => {
    const pads = Tensor.int64([4], [0, 0, 0, 0]);
    const plan = network((graph, first) => {
      const none = graph.addInitializer("none", pads);
      let x = first;
      for (let i = 0; i < 20_000; i++)
        x = addNode(graph, "Pad", [x, none], { mode: "reflect" }, { output: `p${i}` }).output;
      return x;
    });
    expect(plan.get("p19999")).toMatchObject({ reason: expect.stringContaining("only moves what") });
  });

  test("that read the same value look at each other once", () => {
    const plan = network((graph, first) => {
      const readers = Array.from({ length: 20_000 }, () => addNode(graph, "Add", [first, first]).output);
      return addNode(graph, "Sum", readers).output;
    });
    expect(plan.size).toBeGreaterThan(3);
  });
});
