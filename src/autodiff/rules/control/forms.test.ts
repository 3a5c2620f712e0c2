/** What the nodes that go back through bodies carry: a gradient for each value that needs one, of the value's shape, and nothing else. */
import { expect, test } from "vitest";
import { type Graph, parseModel, type Value } from "../../../ir/inner.ts";
import { openRuntime } from "../../../runtime/inner.ts";
import { type Feeds, Tensor } from "../../../tensor/inner.ts";
import { traceTypes } from "../../body-types.ts";
import { gradientModel } from "../../differentiate.ts";

const runtime = await openRuntime();
const zeros = (...shape: readonly number[]) =>
  Tensor.float32(shape, new Float32Array(shape.reduce((size, length) => size * length, 1)));

/** Inputs and outputs of the last body of an operator, as "float32[3]", in the graph with these gradients. */
async function lastBody(op: string, text: string, feeds: Feeds, wrt: readonly string[]) {
  const model = parseModel(`<ir_version: 10, opset_import: ["" : 21]>\n${text}`);
  const types = await traceTypes(model, runtime, feeds);
  const built = gradientModel(model, wrt, { types, outputs: ["y"] });
  const node = [...built.graph.nodes].findLast((one) => one.op === op)!;
  const bodies = [...node.attributes.values()].flatMap((attribute) =>
    attribute.type === "graph" ? [attribute.value] : [],
  );
  const written = ({ type }: Value) => (type?.kind === "tensor" ? `${type.dtype}[${type.shape}]` : "untold");
  const [{ inputs, outputs }] = bodies as [Graph];
  return { inputs: inputs.map(written), outputs: outputs.map(written), results: node.outputs.length };
}

test("a Loop: the carried floats and a sum for what its body captures, not for what it is given or what is no float", async () => {
  const text = `f (float[3] v, float[2,1] w) => (float[3] y, float[N,3] o) <int64 n = {3}, int64 k = {1}> {
    y, l, o = Loop (n, , v, k) <body = s (int64 i, bool c, float[3] a, int64 j) => (bool d, float[3] b, int64 m, float[3] p) {
      q = ReduceSum <keepdims = 0> (w)
      r = Mul(a, q)
      b = Sin(r)
      p = Identity(b)
      m = Add(j, j)
      d = Identity(c)
    }> }`;
  const { inputs, outputs, results } = await lastBody("Loop", text, { v: zeros(3), w: zeros(2, 1) }, ["v", "w"]);
  expect(inputs).toEqual(["int64[]", "bool[]", "float32[3]", "float32[2,1]"]);
  expect(outputs.slice(1)).toEqual(["float32[3]", "float32[2,1]"]);
  expect(results).toBe(2);
});

const scan = `f (float[3] h, int64[4] k, float[4,2] x1, float[4,2] x2, float[3] w) => (float[3] y) {
  y = Scan (h, k, x1, x2) <num_scan_inputs = 3,
    body = s (float[3] a, int64 j, float[2] e, float[2] f) => (float[3] n) {
      m = Mul(a, w)
      g = Cast <to = 1> (j)
      p = ReduceSum(e)
      q = ReduceSum(f)
      t = Sum(m, g, p, q)
      n = Sin(t)
    }
  > }`;
const scanned = { h: zeros(3), k: Tensor.int64([4], [1, 2, 3, 4]), x1: zeros(4, 2), x2: zeros(4, 2), w: zeros(3) };

test.each<[readonly string[], readonly string[]]>([
  [["h"], ["float32[3]"]],
  [
    ["h", "w"],
    ["float32[3]", "float32[3]"],
  ],
  [["x1"], ["float32[3]", "float32[2]"]],
  [["x2"], ["float32[3]", "float32[2]"]],
  [
    ["x1", "x2"],
    ["float32[3]", "float32[2]", "float32[2]"],
  ],
])("a Scan, for the gradients of %s", async (wrt, wanted) => {
  const { inputs, outputs, results } = await lastBody("Scan", scan, scanned, wrt);
  expect(outputs).toEqual(wanted);
  expect(results).toBe(wanted.length);
  // The state's gradient, the sum for a captured value, the state before the step, and the elements.
  const sums = wrt.includes("w") ? ["float32[3]"] : [];
  expect(inputs).toEqual(["float32[3]", ...sums, "float32[3]", "int64[]", "float32[2]", "float32[2]"]);
});

test("an If gives what its branches capture, of the captured shape", async () => {
  const text = `f (float[3] x, float[1] w, bool c) => (float[3] y) {
    y = If(c) <
      then_branch = t () => (float[3] a) { a = Mul(x, w) },
      else_branch = e () => (float[3] a) { a = Neg(x) }
    > }`;
  const feeds = { x: zeros(3), w: zeros(1), c: Tensor.of("bool", [], Uint8Array.of(1)) };
  const { outputs, results } = await lastBody("If", text, feeds, ["x", "w"]);
  expect(outputs).toEqual(["float32[3]", "float32[1]"]);
  expect(results).toBe(2);
});
