/** Errors across copies of the package and workers, aborts, and the debug dial. */
import { afterEach, expect, test, vi } from "vitest";
import { debug, debugLevel, setDebug } from "./debug.ts";
import { AvocetError, ensure, invariant } from "./errors.ts";
import { breathe, throwIfAborted } from "./progress.ts";

const cause = new Error("underneath");
const error = new AvocetError("quant/unknown-grid", 'expected a grid, got "int9"', {
  at: "conv1",
  hint: "write int8",
  cause,
});

test("an error says the rule, the place and the way out", () => {
  expect(error.describe()).toBe('expected a grid, got "int9" (at conv1)\n  hint: write int8');
  expect(error.cause).toBe(cause);
  expect(new AvocetError("import/unknown-format", "expected a model").describe()).toBe(
    "expected a model\n  hint: convert it to ONNX",
  );
});

test("an error is recognised without instanceof, and survives JSON", () => {
  expect(AvocetError.is(error)).toBe(true);
  expect(AvocetError.is({ [Symbol.for("avocet.error")]: true })).toBe(true);
  expect([null, undefined, "text", new Error("other")].some(AvocetError.is)).toBe(false);
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    code: "quant/unknown-grid",
    message: 'expected a grid, got "int9"',
    at: "conv1",
    hint: "write int8",
  });
});

test("a broken rule of the user has a code, a broken one of ours says internal", () => {
  const text = vi.fn(() => "never made");
  ensure(true, "data/none", text);
  expect(text).not.toHaveBeenCalled();
  expect(() => ensure(false, "data/none", () => "no data")).toThrow(expect.objectContaining({ code: "data/none" }));
  expect(() => invariant(false, "a node without outputs")).toThrow("internal: a node without outputs");
});

test("work stops at the signal, with its reason", () => {
  const controller = new AbortController();
  throwIfAborted({});
  throwIfAborted({ signal: controller.signal });
  controller.abort("enough");
  expect(() => throwIfAborted({ signal: controller.signal })).toThrow(
    expect.objectContaining({ code: "abort/interrupted", cause: "enough" }),
  );
});

test("breathing lets timers run", async () => {
  let ran = false;
  setTimeout(() => {
    ran = true;
  }, 0);
  await breathe();
  expect(ran).toBe(true);
});

const initial = debugLevel();
afterEach(() => setDebug(initial, (line) => console.error(line)));

test("the dial shows lines up to its level and makes no others", () => {
  const lines: string[] = [];
  setDebug(2, (line) => lines.push(line));
  const text = vi.fn(() => "three");
  debug(1, () => "one");
  debug(2, () => "two");
  debug(3, text);
  expect(lines).toEqual(["[avocet:1] one", "[avocet:2] two"]);
  expect(text).not.toHaveBeenCalled();
});
