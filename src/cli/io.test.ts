/** What a terminal is given: no orders of strangers, and no line that something else is glued to. */
import { expect, test } from "vitest";
import { AvocetError } from "../base/inner.ts";
import { showFailure } from "./failure.ts";
import { safeIo } from "./io.ts";
import { mayColour } from "./process-io.ts";
import { progressView } from "./progress.ts";

function terminal() {
  let text = "";
  const io = safeIo({
    out: (part) => {
      text += part;
    },
    err: (part) => {
      text += part;
    },
    interactive: true,
    color: false,
    signal: new AbortController().signal,
    env: {},
  });
  return { io, text: () => text };
}

test("control characters and turned directions are spelled out, letters of any script are not", () => {
  const { io, text } = terminal();
  io.out("a\x1b[31mred\x07 \u009b2J \u202etxt.exe\r größe 卷积 🙂\n\tb\n");
  expect(text()).toBe("a\\u001b[31mred\\u0007 \\u009b2J \\u202etxt.exe\\u000d größe 卷积 🙂\n\tb\n");
});

test("JSON says the same with them spelled out", () => {
  const { io, text } = terminal();
  const value = { name: "a\x1b[31m\u009b \u2028 \u202e" };
  io.out(JSON.stringify(value));
  expect(JSON.parse(text())).toEqual(value);
  for (const order of "\u001b\u009b\u202e") expect(text()).not.toContain(order);
});

test("the place of an error stays on its line", () => {
  const { io, text } = terminal();
  showFailure(new AvocetError("import/malformed", "expected a model", { at: "a\nerror: b\x1b[2J" }), io, false);
  expect(text().split("\n")).toEqual([
    "error import/malformed: expected a model (at a\\nerror: b\\u001b[2J)",
    expect.stringMatching(/^ {2}hint: /),
    "",
  ]);
});

test("a message begins below the bar that it interrupts, and the bar shows no orders either", () => {
  const { io, text } = terminal();
  const view = progressView(io, false);
  view.show({ step: "calibrate", done: 3, total: 9, detail: "x\x1b[1m\n" });
  showFailure(new AvocetError("abort/interrupted", "interrupted", { hint: "go on" }), io, false);
  view.show({ step: "verify", done: 1, total: 2 });
  view.show({ step: "write", done: 1, total: 2 });
  view.end();
  const bar = "\r\x1b[2K";
  expect(text().split(bar)).toEqual([
    "",
    "calibrate      ███████░░░░░░░░░░░░░ 3/9  x\\u001b[1m\\n\nerror abort/interrupted: interrupted\n  hint: go on\n",
    "verify         ██████████░░░░░░░░░░ 1/2\n",
    "write          ██████████░░░░░░░░░░ 1/2\n",
  ]);
});

test("what an error repeats is cut, whatever a file held", () => {
  const long = "x".repeat(30_000);
  const { message, detail } = new AvocetError("usage/bad-value", `got ${long}`, { at: long, hint: long });
  expect(message).toMatch(/^got x{3996}… \(26004 characters more\)$/);
  expect(detail.at!.length + detail.hint!.length).toBeLessThan(5_100);
});

test("steps are numbered, and after two seconds the bar says what is left", () => {
  const { io, text } = terminal();
  let time = 0;
  const view = progressView(io, false, ["calibrate", "verify"], () => time);
  view.show({ step: "calibrate", done: 10, total: 110 });
  time = 1900;
  view.show({ step: "calibrate", done: 20, total: 110 });
  time = 4000;
  // 20 in 4 s: 80 more take 16 s.
  view.show({ step: "calibrate", done: 30, total: 110 });
  time = 4100;
  view.show({ step: "gradients", done: 1, total: null });
  view.show({ step: "verify", done: 2, total: 2 });
  const lines = text().split("\r\x1b[2K");
  expect(lines[2]).toMatch(/^\[1\/2\] calibrate ████░+ 20\/110$/);
  expect(lines[3]).toMatch(/^\[1\/2\] calibrate █+░+ 30\/110 {2}16 s left\n$/);
  expect(lines[4]).toBe("gradients 1\n");
  expect(lines[5]).toMatch(/^\[2\/2\] verify /);
});

test("colours: errors in red on terminals, never with NO_COLOR, by force elsewhere", () => {
  expect(mayColour({}, true)).toBe(true);
  expect(mayColour({}, false)).toBe(false);
  expect(mayColour({ NO_COLOR: "1", FORCE_COLOR: "1" }, true)).toBe(false);
  expect(mayColour({ NO_COLOR: "" }, true)).toBe(true);
  expect(mayColour({ FORCE_COLOR: "1" }, false)).toBe(true);
  expect(mayColour({ FORCE_COLOR: "0" }, true)).toBe(false);
  expect(mayColour({ TERM: "dumb" }, true)).toBe(false);
  let shown = "";
  const streams = { out: () => {}, interactive: false, signal: new AbortController().signal, env: {} };
  const io = safeIo({ ...streams, color: true, err: (text) => { shown += text; } }); // biome-ignore format: a stream
  io.err("error gate/missed: error x: \x1b[31m\n");
  expect(shown).toBe("\x1b[31merror gate/missed:\x1b[39m error x: \\u001b[31m\n");
});
