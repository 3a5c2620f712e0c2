/** Which form a gradient of data movement takes: a Pad where elements lie side by side, zeros between where they do not. */
import { expect, test } from "vitest";
import { backwardOperators } from "../../../../test/backward-operators.ts";

const slice = (shape: string, starts: string, ends: string, axes: string, steps: string) => {
  const count = axes.split(",").length;
  const ints = (name: string, values: string) => `int64[${count}] ${name} = {${values}}`;
  return `f (float[${shape}] x) => (float y) <${ints("s", starts)}, ${ints("e", ends)}, ${ints("a", axes)}, ${ints("t", steps)}> {
    y = Slice(x, s, e, a, t) }`;
};
const formsOf = (cases: Readonly<Record<string, string>>) =>
  Object.entries(cases).map(([name, text]) => `${name}: ${backwardOperators(text, "x")}`);

test("of a slice", () => {
  expect(
    formsOf({
      "of all": slice("4,6", "0", "6", "1", "1"),
      "of the middle": slice("4,6", "1", "4", "1", "1"),
      "of every second": slice("4,6", "0", "6", "1", "2"),
      "of every second from the second on": slice("4,6", "1", "6", "1", "2"),
      backwards: slice("4,6", "-1", "-9", "1", "-1"),
      "every second backwards": slice("4,6", "4", "0", "1", "-2"),
      "along two axes": slice("2,3,8,8", "0,1", "8,8", "2,3", "2,2"),
      "along the channels": slice("2,6,8,8", "0", "6", "1", "2"),
      "of a line": slice("9", "0", "9", "0", "3"),
    }),
  ).toMatchInlineSnapshot(`
    [
      "of all: Identity",
      "of the middle: Identity, Pad",
      "of every second: ConvTranspose, Identity, Reshape ×2",
      "of every second from the second on: ConvTranspose, Identity, Pad, Reshape ×2",
      "backwards: Identity, Slice",
      "every second backwards: ConvTranspose, Identity, Pad, Reshape ×2, Slice",
      "along two axes: ConvTranspose, Identity, Pad, Reshape ×2",
      "along the channels: Identity, Pad, Reshape ×2",
      "of a line: Identity, Pad, Reshape ×2",
    ]
  `);
});

test("of a Gather: one element is put back at its place, several are added", () => {
  const gather = (index: string, axis = 0) =>
    `f (float[4,6] x) => (float y) <${index}> { y = Gather <axis = ${axis}> (x, i) }`;
  expect(
    formsOf({
      one: gather("int64 i = {1}"),
      "the last": gather("int64 i = {-1}", 1),
      "one in a row": gather("int64[1] i = {2}"),
      two: gather("int64[2] i = {2, 0}"),
      "a computed one": "f (float[4,6] x, int64 i) => (float y) { y = Gather(x, i) }",
    }),
  ).toMatchInlineSnapshot(`
    [
      "one: Identity, Pad, Reshape",
      "the last: Identity, Pad, Reshape",
      "one in a row: Identity, Pad, Reshape",
      "two: Expand ×2, Identity, Reshape ×2, ScatterElements",
      "a computed one: Expand ×2, Identity, Reshape ×2, ScatterElements",
    ]
  `);
});
