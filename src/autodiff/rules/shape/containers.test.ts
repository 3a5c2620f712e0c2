/** Sequences that are built and read in one graph, against central differences. */
import { describe, expect, test } from "vitest";
import { Tensor } from "../../../tensor/inner.ts";
import { expectGradients, gradientSuite } from "../../gradient-suite.ts";

describe("sequences", () => {
  gradientSuite({
    "SplitToSequence in ones, SequenceAt": {
      text: `f (float[2,3] x) => (float y, float z) <int64 one = {1}, int64 last = {-1}> {
         s = SplitToSequence <axis = 1, keepdims = 0> (x)  y = SequenceAt(s, one)  z = SequenceAt(s, last) }`,
    },
    "SplitToSequence with lengths": {
      text: `f (float[2,5] x) => (float y) <int64[2] l = {2,3}, int64 one = {1}> {
         s = SplitToSequence <axis = -1> (x, l)  y = SequenceAt(s, one) }`,
    },
    "SplitToSequence in equal parts with a rest": {
      text: `f (float[5,2] x) => (float y) <int64 l = {2}, int64 last = {2}> {
         s = SplitToSequence(x, l)  y = SequenceAt(s, last) }`,
    },
    "SplitToSequence in equal parts, put together again": {
      text: `f (float[5,2] x) => (float y, float z) <int64 l = {2}, int64 last = {-1}, int64 zero = {0}> {
         s = SplitToSequence(x, l)  y = ConcatFromSequence <axis = 0> (s)
         e = SequenceErase(s, last)  z = SequenceAt(e, zero) }`,
    },
    "parts without their axis, put together": {
      text: `f (float[2,3] x) => (float y) {
         s = SplitToSequence <axis = 1, keepdims = 0> (x)  y = ConcatFromSequence <axis = 0> (s) }`,
    },
    "a part without its axis": {
      text: `f (float[3,2] x) => (float y) <int64 one = {1}> {
         s = SplitToSequence <axis = 0, keepdims = 0> (x)  e = SequenceAt(s, one)  y = Mul(e, e) }`,
    },
    "parts with their axis, put together along it": {
      text: `f (float[2,3] x) => (float y) { s = SplitToSequence <axis = 1> (x)  y = ConcatFromSequence <axis = 1> (s) }`,
    },
    "parts of given lengths keep their axis, whatever keepdims says": {
      text: `f (float[2,3] x) => (float y) <int64[2] l = {1,2}> {
         s = SplitToSequence <axis = 1, keepdims = 0> (x, l)  y = ConcatFromSequence <axis = 1> (s) }`,
    },
    "SequenceConstruct and ConcatFromSequence": {
      text: `f (float[2,3] a, float[1,3] b) => (float y) {
         s = SequenceConstruct(a, b, a)  y = ConcatFromSequence <axis = 0> (s) }`,
    },
    "ConcatFromSequence with an axis of its own": {
      text: `f (float[2,3] a, float[2,3] b) => (float y) {
         s = SequenceConstruct(a, b)  y = ConcatFromSequence <axis = -1, new_axis = 1> (s) }`,
    },
    "SequenceEmpty, SequenceInsert, SequenceErase": {
      text: `f (float[2] a, float[3] b, float[1] c) => (float y) <int64 zero = {0}> {
         e = SequenceEmpty()  s = SequenceInsert(e, a)  t = SequenceInsert(s, b)  u = SequenceInsert(t, c, zero)
         v = SequenceInsert(u, b)  w = SequenceErase(v)  r = SequenceErase(w, zero)  y = ConcatFromSequence <axis = 0> (r) }`,
      wrt: ["a", "b"],
    },
    "Optional and OptionalGetElement": {
      text: "f (float[2] x) => (float y) { o = Optional(x)  z = OptionalGetElement(o)  y = Mul(z, z) }",
    },
    "OptionalGetElement of a tensor": { text: "f (float[2] x) => (float y) { y = OptionalGetElement(x) }" },
  });
  test("lengths that are computed are refused", async () => {
    const text = `f (float[2,3] x, int64 l) => (float y) <int64 i = {0}> { s = SplitToSequence(x, l)  y = SequenceAt(s, i) }`;
    const feeds = { l: Tensor.scalar(1, "int64") };
    await expect(expectGradients({ text, feeds })).rejects.toThrow("the lengths l are computed");
  });
  test("a sequence that another operator made is refused", async () => {
    const text = `f (float[2] x) => (float y) <int64 i = {0}> {
       s = SequenceConstruct(x)  t = Identity(s)  y = SequenceAt(t, i) }`;
    await expect(expectGradients({ text })).rejects.toThrow("what the sequence t holds is not known");
  });
  test("a position that is computed is refused", async () => {
    const text = `f (float[2,3] x, int64 i) => (float y) { s = SplitToSequence(x)  y = SequenceAt(s, i) }`;
    const feeds = { i: Tensor.scalar(1, "int64") };
    await expect(expectGradients({ text, feeds })).rejects.toThrow("the position i in its sequence is computed");
  });
});
