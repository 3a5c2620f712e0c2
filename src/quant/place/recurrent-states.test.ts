/** States of recurrent operators by hand: which values share whose encoding, and which count for its range. */
import { describe, expect, test } from "vitest";
import { parseModel, type Value } from "../../ir/inner.ts";
import type { Decision } from "./place-by-rule.ts";
import { tieStates } from "./recurrent-states.ts";

function tied(body: string, before: Readonly<Record<string, string>> = {}, float: readonly string[] = []) {
  const model = parseModel(
    `<ir_version: 10, opset_import: ["": 21]> f (float[3,1,2] x, float[1,1,2] h, float[1,1,2] c) => (y)
     <float[1,8,2] w, float[1,8,2] r, float[1,6,2] gw, float[1,6,2] gr> { ${body} }`,
    { seed: 1 },
  );
  const named = model.graph.valuesByName();
  const decided = new Map<Value, Decision>();
  for (const [name, value] of named) if (!float.includes(name)) decided.set(value, { on: true, reason: "" });
  const shared = new Map(Object.entries(before).map(([value, head]) => [named.get(value)!, named.get(head)!]));
  const counted = tieStates(model.graph.nodes, decided, shared);
  return {
    shared: Object.fromEntries([...shared].map(([value, head]) => [value.name, head.name])),
    counted: [...counted].map(({ name }) => name),
  };
}

const lstm = (x: string, out: string, states = "") => `${out} = LSTM <hidden_size = 2> (${x}, w, r, "", ""${states})`;

describe("an operator", () => {
  test("ties what it reads, its states and the first of them to its hidden states, and cell states apart", () => {
    expect(tied(`${lstm("x", "a, l, k", ", h, c")} y = Neg(a)`)).toEqual({
      shared: { x: "a", l: "a", h: "a", c: "k" },
      counted: ["x", "l", "h", "c"],
    });
  });

  test("without all of its states has the last one alone", () => {
    expect(tied(`${lstm("x", '"", l, k')} y = Neg(l)`)).toEqual({ shared: { x: "l" }, counted: ["x"] });
  });

  test("of a GRU or RNN has no cell: what stands in its place is left", () => {
    const gru = 'a, l, k = GRU <hidden_size = 2> (x, gw, gr, "", "", h, c) y = Neg(a)';
    expect(tied(gru)).toEqual({ shared: { x: "a", l: "a", h: "a" }, counted: ["x", "l", "h"] });
  });

  test("leaves what is float, and others leave their inputs", () => {
    expect(tied(`${lstm("x", "a, l, k")} y = Neg(a)`, {}, ["x", "l"])).toEqual({ shared: {}, counted: [] });
    expect(tied("y = Neg(x)")).toEqual({ shared: {}, counted: [] });
  });
});

describe("several", () => {
  test("one above another are one group, that of the last", () => {
    const found = tied(`${lstm("x", "a")} s = Squeeze(a) ${lstm("s", "b")} y = Neg(b)`, { s: "a" });
    expect(found).toEqual({ shared: { s: "a", x: "a", a: "b" }, counted: ["x", "a"] });
  });

  test("that read one input: the last one takes it along", () => {
    expect(tied(`${lstm("x", "a")} ${lstm("x", "b")} y = Add(a, b)`)).toEqual({ shared: { x: "b" }, counted: ["x"] });
  });

  test("what is of one group already is not tied again, to itself least of all", () => {
    expect(tied(`${lstm("x", "a")} y = Neg(a)`, { x: "a" })).toEqual({ shared: { x: "a" }, counted: [] });
    expect(tied(`${lstm("x", "a")} ${lstm("a", "b")} y = Add(a, b)`, { x: "h", h: "b" })).toEqual({
      shared: { x: "h", h: "b", b: "a" },
      counted: ["b"],
    });
  });
});
