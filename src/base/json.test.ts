/** The reader of JSON: what JSON.parse takes and refuses, but for depth, length and repeated keys. */
import { describe, expect, test } from "vitest";
import { AvocetError, jsonLimits, parseJson } from "./inner.ts";

const read = (text: string) => parseJson(text, { at: "x.json", code: "data/unreadable" });
const nested = (levels: number, open: string, inner: string, close: string) =>
  open.repeat(levels) + inner + close.repeat(levels);

describe("as JSON.parse", () => {
  test.each([
    "null",
    "1e-3",
    '"a\\"]["',
    '[1, {"a": "{{{", "b": [{"a": 1}, {"a": 2}]}, []]',
    '{"a": {"a": 1}, "b": "a", "c": ["a", "a"]}',
    '{"\\\\": 1, "\\\\\\\\": 2, "__proto__": 3}',
    nested(jsonLimits.depth, "[", "1", "]"),
    nested(jsonLimits.depth, '{"a":', "1", "}"),
  ])("%s", (text) => {
    expect(read(text)).toEqual(JSON.parse(text));
  });
});

test("a mark of the byte order before the text is no part of it", () => {
  expect(read('\ufeff{"a": 1}')).toEqual({ a: 1 });
  expect(() => read('\ufeff\ufeff{"a": 1}')).toThrow("expected JSON");
});

describe("refused with the caller's code and place", () => {
  const faults: Record<string, [text: string, message: RegExp]> = {
    nothing: ["", /expected JSON/],
    "half a string": ['{"a', /expected JSON/],
    "a string that ends in a backslash": ['"a\\', /expected JSON/],
    "brackets that do not match": ["[}", /expected JSON/],
    "lists one level too deep": [nested(jsonLimits.depth + 1, "[", "1", "]"), /80 levels/],
    "a million open objects": ['{"a":'.repeat(1e6), /80 levels/],
    "a million open lists": ["[".repeat(1e6), /80 levels/],
    "a key twice": ['{"a": 1, "b": 2, "a": 3}', /"a" twice/],
    "a key twice, once escaped": ['{"a": 1, "\\u0061" : 3}', /"a" twice/],
    "a key twice, deep inside": ['[{"x": [{"k": [], "k": {}}]}]', /"k" twice/],
  };
  test.each(Object.entries(faults))("%s", (_, [text, message]) => {
    try {
      read(text);
      expect.unreachable();
    } catch (error) {
      expect(AvocetError.is(error) && [error.code, error.detail.at]).toEqual(["data/unreadable", "x.json"]);
      expect((error as Error).message).toMatch(message);
    }
  });
});
