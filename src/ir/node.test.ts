/** What a node tells of itself: attributes by type, and names for messages. */
import { describe, expect, test } from "vitest";
import { Tensor } from "../tensor/inner.ts";
import { parseGraph } from "./text/parse.ts";

describe("attributes are read by type", () => {
  const graph = parseGraph(
    'g (x) => (y) { y = Foo(x) <i = 3, f = 2.0, s = "t", l = [1, 2], n = -9223372036854775808, t = int64[2] {5, 6}> }',
  );
  const node = [...graph.nodes][0]!;

  test("with a fallback, or undefined", () => {
    expect([node.int("i", 0), node.int("none", 7), node.int("none"), node.int("s")]).toEqual([
      3,
      7,
      undefined,
      undefined,
    ]);
    expect([node.float("f", 0), node.float("i", 0.5)]).toEqual([2, 0.5]);
    expect([node.string("s", ""), node.string("i", "?")]).toEqual(["t", "?"]);
    expect([node.ints("l", []), node.ints("i")]).toEqual([[1, 2], undefined]);
    expect(node.tensor("t")).toBeInstanceOf(Tensor);
    // Beyond what a number holds exactly: the nearest that is safe.
    expect(node.int("n")).toBe(-Number.MAX_SAFE_INTEGER);
  });

  test("nodes and values name themselves for messages", () => {
    expect(`${node} ${node.output}`).toBe("Foo → y %y");
    const named = graph.insert({ op: "Gelu", domain: "com.microsoft", name: "n1", inputs: [], outputs: [] });
    expect(`${named}`).toBe("com.microsoft.Gelu n1");
    expect(`${graph.insert({ op: "Sink", inputs: [], outputs: [] })}`).toBe("Sink → nothing");
  });
});
