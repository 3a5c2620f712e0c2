/** Names: claimed once, shared where files repeat them, made new without long searches. */
import { expect, test } from "vitest";
import { Names } from "./names.ts";

test("a name is claimed once and given back", () => {
  const names = new Names();
  expect(names.claim("a")).toBe("a");
  expect(() => names.claim("a")).toThrow(expect.objectContaining({ code: "graph/name-taken" }));
  names.release("a");
  expect(names.has("a")).toBe(false);
  names.release("a");
  expect(names.claim("a")).toBe("a");
});

test("a shared name is taken until everyone has given it back", () => {
  const names = new Names();
  const value = { name: names.claim("a") };
  names.share("a");
  names.adopt(value, "b");
  expect([value.name, names.has("a"), names.has("b")]).toEqual(["b", true, true]);
  names.release("a");
  expect(names.has("a")).toBe(false);
});

test("a new name is the hint or the least number behind it that is free", () => {
  const names = new Names();
  expect(["a", "a", "a"].map((hint) => names.fresh(hint))).toEqual(["a", "a_1", "a_2"]);
  names.claim("a_3");
  expect([names.spare("a"), names.fresh("a"), names.fresh("a_1")]).toEqual(["a_4", "a_4", "a_1_1"]);
  names.release("a_2");
  expect([names.fresh("a"), names.fresh("a")]).toEqual(["a_2", "a_5"]);
  names.release("a");
  expect(names.fresh("a")).toBe("a");
  expect(names.fresh("")).toBe("");
});

test("a hundred thousand names of one hint take no time", () => {
  const names = new Names();
  const start = performance.now();
  for (let i = 0; i < 100_000; i++) names.fresh("conv");
  expect(performance.now() - start).toBeLessThan(2000); // measured 50 ms; searching from 1 each time takes minutes
});
