/** If, Loop and Scan against central differences. */
import { describe, expect, test } from "vitest";
import { parseModel } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import { expectGradients, gradientSuite } from "../../gradient-suite.ts";
import { bodyOf } from "./body-copy.ts";

const yes = (value: 0 | 1) => Tensor.of("bool", [], Uint8Array.of(value));

const choose = (value: 0 | 1) => ({
  text: `f (float[3] x, float[3] w, bool c) => (float y) {
    s = Mul(x, w)
    y = If(c) <
      then_branch = t () => (float[3] a) { a1 = Tanh(s) a = Mul(a1, w) },
      else_branch = e () => (float[3] a) { a = Mul(s, s) }
    > }`,
  feeds: { c: yes(value) },
});

describe("If", () => {
  gradientSuite({
    "the first branch": choose(1),
    "the second branch, which does not read all": choose(0),
    "a branch that hands through what it captures": {
      text: `f (float[3] x, bool c) => (float y) {
        s = Tanh(x)
        y = If(c) <then_branch = t () => (float[3] a) { a = Identity(s) }, else_branch = e () => (float[3] a) { a = Neg(x) }> }`,
      feeds: { c: yes(1) },
    },
    "two outputs of which one counts": {
      text: `f (float[3] x, bool c) => (float y) {
        y, z = If(c) <
          then_branch = t () => (float[3] a, float[3] k) { a = Tanh(x) k = Exp(x) },
          else_branch = e () => (float[3] a, float[3] k) { a = Neg(x) k = Sin(x) }
        > }`,
      feeds: { c: yes(1) },
    },
    "one inside the other": {
      text: `f (float[3] x, float[3] w, bool c) => (float y) {
        y = If(c) <
          then_branch = t () => (float[3] a) {
            i = Mul(x, x)
            a = If(c) <
              then_branch = tt () => (float[3] aa) { k = Mul(i, w) aa = Sin(k) },
              else_branch = te () => (float[3] aa) { aa = Neg(i) }
            >
          },
          else_branch = e () => (float[3] a) { a = Mul(x, w) }
        > }`,
      feeds: { c: yes(1) },
    },
  });
});

const scan = (attributes: string, x = "5,3") => ({
  text: `f (float[2] h, float[${x}] x, float[2,2] r, float[3,2] w) => (float z, float y) {
    z, y = Scan (h, x) <num_scan_inputs = 1${attributes},
      body = s (float[2] a, float[3] e) => (float[2] n, float[2] o) {
        k = MatMul(a, r)
        m = MatMul(e, w)
        t = Add(k, m)
        n = Tanh(t)
        o = Mul(n, a)
      }
    > }`,
});

const twoStates = {
  text: `f (float[2] h1, float[2] h2, float[4,2] x1, float[2,4] x2, float[2] w) => (float z1, float z2, float y1, float y2) {
    z1, z2, y1, y2 = Scan (h1, h2, x1, x2) <num_scan_inputs = 2, scan_input_axes = [0,1], scan_input_directions = [0,1],
      scan_output_axes = [1,0], scan_output_directions = [0,1],
      body = s (float[2] a, float[2] b, float[2] e, float[2] f) => (float[2] n, float[2] m, float[2] o, float[2] p) {
        k = Mul(a, w)
        t = Add(k, e)
        n = Tanh(t)
        l = Mul(b, f)
        m = Sin(l)
        o = Mul(n, b)
        p = Mul(m, e)
      }
    > }`,
};

describe("Scan", () => {
  gradientSuite({
    "a state, elements, captured weights": scan(""),
    "against the order of the elements": scan(", scan_input_directions = [1]"),
    "outputs put in front": scan(", scan_output_directions = [1]"),
    "along another axis": scan(", scan_input_axes = [1]", "3,5"),
    "the final state only": { ...scan(""), outputs: ["z"] },
    "two states, two sequences, two outputs": twoStates,
    "of two outputs the second alone": { ...twoStates, outputs: ["y2"] },
    "of two states the second alone": { ...twoStates, outputs: ["z2"] },
    "of two sequences the second alone": { ...twoStates, wrt: ["x2", "h2"] },
    "no state": {
      text: `f (float[4,2] x, float[2] w) => (float y) {
        y = Scan (x) <num_scan_inputs = 1, body = s (float[2] e) => (float[2] o) { m = Mul(e, w) o = Sin(m) }> }`,
    },
  });
});

const twoOfEach = {
  text: `f (float[3] v, float[3] u, float[3] w, float[3] q) => (float z1, float z2, float y1, float y2) <int64 n = {3}> {
        z1, z2, y1, y2 = Loop (n, , v, u) <body = s (int64 i, bool c, float[3] a, float[3] b) => (bool d, float[3] e, float[3] f, float[3] o, float[3] p) {
          m = Mul(a, w)
          e = Sin(m)
          k = Mul(b, q)
          f = Add(k, e)
          o = Mul(e, b)
          p = Mul(f, a)
          d = Identity(c)
        }> }`,
};

describe("Loop", () => {
  gradientSuite({
    "a carried value, a captured one, and an output of every step": {
      text: `f (float[3] v, float[3] w) => (float z, float y) <int64 n = {4}> {
        z, y = Loop (n, , v) <body = s (int64 i, bool c, float[3] a) => (bool d, float[3] b, float[3] o) {
          m = Mul(a, w)
          b = Tanh(m)
          o = Mul(b, a)
          d = Identity(c)
        }> }`,
    },
    "two carried values, two captured ones, two outputs of every step": twoOfEach,
    "of two outputs of every step the second alone": { ...twoOfEach, outputs: ["y2"] },
    "of two carried values the second alone": { ...twoOfEach, outputs: ["z2"] },
    "an initial value that the body captures as well": {
      text: `f (float[3] v, float[3] w) => (float z) <int64 n = {3}> {
        z = Loop (n, , v) <body = s (int64 i, bool c, float[3] a) => (bool d, float[3] b) {
          m = Mul(a, v)
          k = Add(m, w)
          b = Tanh(k)
          d = Identity(c)
        }> }`,
    },
    "an initial value that a body in the body captures": {
      text: `f (float[3] v, bool t) => (float z) <int64 n = {2}> {
        z = Loop (n, , v) <body = s (int64 i, bool c, float[3] a) => (bool d, float[3] b) {
          b = If(t) <
            then_branch = p () => (float[3] bb) { m = Mul(a, v) bb = Sin(m) },
            else_branch = q () => (float[3] bb) { bb = Neg(a) }
          >
          d = Identity(c)
        }> }`,
      feeds: { t: yes(1) },
    },
    "a captured integer": {
      text: `f (float[3] v, int64[3] k) => (float z) <int64 n = {2}> {
        z = Loop (n, , v) <body = s (int64 i, bool c, float[3] a) => (bool d, float[3] b) {
          e = Cast <to = 1> (k)
          m = Mul(a, e)
          b = Sin(m)
          d = Identity(c)
        }> }`,
      feeds: { k: Tensor.int64([3], [1, 2, 3]) },
    },
    "a number of steps that follows from what is carried": {
      text: `f (float[3] v, float[3] w) => (float z) <int64 n = {9}, bool t = {1}, int64 k = {0}, int64 one = {1}, int64 last = {3}> {
        z, kz = Loop (n, t, v, k) <body = s (int64 i, bool c, float[3] a, int64 j) => (bool d, float[3] b, int64 l) {
          l = Add(j, one)
          d = Less(l, last)
          f = Cast<to = 1>(l)
          m = Mul(a, w)
          s = Sin(m)
          b = Mul(s, f)
        }> }`,
    },
    "no step at all": {
      text: `f (float[3] v, float[3] w) => (float z) <int64 n = {0}> {
        z = Loop (n, , v) <body = s (int64 i, bool c, float[3] a) => (bool d, float[3] b) {
          b = Mul(a, w)
          d = Identity(c)
        }> }`,
    },
  });

  test("a carried value that grows is refused", async () => {
    const text = `f (float[1] v) => (float z) <int64 n = {2}> {
      z = Loop (n, , v) <body = s (int64 i, bool c, float[N] a) => (bool d, float[M] b) {
        b = Concat<axis = 0>(a, a)
        d = Identity(c)
      }> }`;
    await expect(expectGradients({ text })).rejects.toThrow(/changes its shape from step to step/);
  });
});

test("a node without the body that it needs is no control operator", () => {
  const model = parseModel('<ir_version: 10, opset_import: ["" : 21]> f (float[3] x) => (y) { y = Relu(x) }');
  const [node] = model.graph.nodes;
  expect(() => bodyOf(node!, "body")).toThrow("has no body body");
});
