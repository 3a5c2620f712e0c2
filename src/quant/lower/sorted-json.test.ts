import { expect, test } from "vitest";
import { sortedJson } from "./sorted-json.ts";

test("keys sorted, four spaces, a number a line", () => {
  const json = { scale: [0.5, 1e-7], name: "w[\n1,\n2]" };
  expect(sortedJson(json)).toBe(
    '{\n    "name": "w[\\n1,\\n2]",\n    "scale": [\n        0.5,\n        1e-7\n    ]\n}\n',
  );
});

test("a list of blocks is on one line, and the same numbers", () => {
  const many = Array.from({ length: 5000 }, (_, i) => (i % 2 === 0 ? -8 : (i + 1) * 1.1e-9));
  const json = { offset: many, nested: [[1, 2], many] };
  const text = sortedJson(json);
  expect(JSON.parse(text)).toEqual(json);
  expect(text.split("\n").length).toBeLessThan(20);
});

test("4,096 numbers have a line each, one more have none; what is null stays so", () => {
  const lines = (length: number) => sortedJson({ scale: new Array(length).fill(1), none: null }).split("\n").length;
  expect([lines(4096), lines(4097)]).toEqual([4096 + 6, 6 - 1]);
});

test("names that are in order stay so, and any order becomes it", () => {
  const keys = (names: string) =>
    Object.keys(JSON.parse(sortedJson(Object.fromEntries([...names].map((name) => [name, 1])))));
  for (const names of ["abcde", "edcba", "badce", "cabed"]) expect(keys(names).join("")).toBe("abcde");
});
