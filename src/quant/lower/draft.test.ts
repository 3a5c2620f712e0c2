/** The file that is being written, by hand: which packed matrices are one, who reads what, what goes. */
import { describe, expect, test } from "vitest";
import { entry, linesOf, parse, planOf } from "../../../test/hand-made-plan.ts";
import { Tensor } from "../../tensor/inner.ts";
import { Draft } from "./draft.ts";
import type { PackedMatrix } from "./packed-rows.ts";
import { LoweringRecord } from "./record.ts";

const text = "f (float[2,4] x) => (float[2,4] y) <float[4,4] w, float[4] b> { m = MatMul(x, w) y = Add(m, b) }";
function draftOf(model = parse(text)) {
  const record = new LoweringRecord(model);
  return { model, record, draft: new Draft(model, planOf(entry("x", "activation", "uint8")), record) };
}

describe("a packed matrix", () => {
  const packed = (bytes: number[], scales: number[], zeros?: number[]): PackedMatrix => ({
    bits: 4,
    block: 2,
    bytes: Uint8Array.from(bytes),
    scales: Tensor.float32([scales.length], Float32Array.from(scales)),
    ...(zeros ? { zeroPoints: Tensor.of("uint8", [zeros.length], Uint8Array.from(zeros)) } : {}),
  });
  const first = packed([1, 2, 3, 4], [0.5, 0.25], [8, 7]);

  test.each<[string, PackedMatrix, boolean]>([
    ["the same numbers", packed([1, 2, 3, 4], [0.5, 0.25], [8, 7]), true],
    ["another integer", packed([1, 2, 3, 5], [0.5, 0.25], [8, 7]), false],
    ["more integers", packed([1, 2, 3, 4, 0], [0.5, 0.25], [8, 7]), false],
    ["fewer integers", packed([1, 2, 3], [0.5, 0.25], [8, 7]), false],
    ["another scale", packed([1, 2, 3, 4], [0.5, 0.125], [8, 7]), false],
    ["another zero point", packed([1, 2, 3, 4], [0.5, 0.25], [8, 8]), false],
    ["no zero points", packed([1, 2, 3, 4], [0.5, 0.25]), false],
  ])("beside one with %s", (_, second, isOne) => {
    for (const [a, b] of [
      [first, second],
      [second, first],
    ] as const) {
      const { draft } = draftOf();
      const one = draft.packed("a", [a.bytes.length], a);
      const other = draft.packed("b", [b.bytes.length], b);
      expect(other.constant === one.constant).toBe(isOne);
      expect(other.others.length).toBe(b.zeroPoints ? 2 : 1);
    }
  });

  test("without zero points is one with its like", () => {
    const { draft } = draftOf();
    const plain = packed([1, 2], [0.5]);
    const one = draft.packed("a", [1, 2], plain);
    const again = draft.packed("b", [1, 2], packed([1, 2], [0.5]));
    expect(again).toEqual({ constant: one.constant, stored: one.constant, others: one.others });
    expect(one.others.map(({ name }) => name)).toEqual(["a_scale"]);
  });

  test("of another shape reads the first through a Reshape in front of everything", () => {
    const { draft, model } = draftOf();
    const one = draft.packed("a", [2, 2], first);
    const other = draft.packed("b", [4, 1], first);
    expect(other.constant).toBe(one.constant);
    expect(other.others).toBe(one.others);
    expect(linesOf(model)[0]).toBe("b_packed = Reshape(a_packed, b_shape)");
    expect(other.stored.name).toBe("b_packed");
    expect(other.stored.producer!.input(1)!.initializer!.numbers()).toEqual([4, 1]);
  });
});

describe("what nobody reads", () => {
  test("goes, and what somebody reads stays", () => {
    const { draft, model, record } = draftOf();
    const weight = model.graph.valuesByName().get("w")!;
    draft.discard("w", weight);
    expect([...model.graph.initializers].map(({ name }) => name)).toContain("w");
    expect(record.float("w")).toBe(weight);
    model.graph.replaceUses(weight, draft.constant("v", Tensor.float32([4, 4], new Float32Array(16))));
    draft.discard("w", weight);
    expect([...model.graph.initializers].map(({ name }) => name)).not.toContain("w");
    expect(record.float("w")).toBeUndefined();
  });

  const chain = (more = "") =>
    draftOf(
      parse(
        `f (float[2,4] x) => (float[2,4] y) <float[4,4] w, float[4] b> { m = MatMul(x, w) a = Add(m, b) ${more || "y = Neg(x)"} }`,
      ),
    );
  const dropped = ({ draft, model }: ReturnType<typeof chain>) => {
    const [product, add] = model.graph.nodes;
    draft.dropUnread(add!, product!);
    return [linesOf(model).map((line) => line.split(" ")[0]), [...model.graph.initializers].map(({ name }) => name)];
  };

  test("an operator goes with its own constants, and what is in front of it where nobody else reads that", () => {
    expect(dropped(chain())).toEqual([["y"], ["w"]]);
    expect(dropped(chain("y = Neg(m)"))).toEqual([["m", "y"], ["w"]]);
    expect(dropped(chain("y = Neg(a)"))).toEqual([
      ["m", "a", "y"],
      ["w", "b"],
    ]);
    expect(dropped(chain("y = Add(x, b)")), "a constant that others read").toEqual([["y"], ["w", "b"]]);
  });

  test("a replaced node's left out outputs are no values of the file", () => {
    const model = parse('f (float[2,4] x) => (float[2,2] y) <int64[1] k = {2}> { y, "" = TopK(x, k) }');
    const { draft, record } = draftOf(model);
    const [node] = model.graph.nodes;
    const outputs = node!.outputs.length;
    draft.replace(node!, { op: "TopK", inputs: [...node!.inputs] });
    const [made] = [...model.graph.nodes].filter(({ op }) => op === "TopK");
    expect(made).not.toBe(node);
    expect(record.float("y")).toBe(made!.outputs[0]);
    expect(outputs).toBeLessThanOrEqual(2);
  });
});
