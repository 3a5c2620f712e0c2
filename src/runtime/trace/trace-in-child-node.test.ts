/** Tracing in a child: the same result, and models that hang, grow or crash end the child alone. */
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseModel } from "../../ir/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { openRuntime } from "../doors/open-runtime.ts";
import { traceShapes } from "./trace.ts";
import { traceInChild } from "./trace-in-child-node.ts";

// A child runs JavaScript: Node 20 does not start TypeScript files, so this suite needs the build.
const script = new URL("../../../dist/runtime/trace/trace-child-node.js", import.meta.url);
const model = (text: string) => parseModel(`<ir_version: 10, opset_import: ["" : 21]> ${text}`);
const failing = (code: string) => expect.objectContaining({ code });

describe.skipIf(existsSync(script) ? false : "dist/ is not built (npm run build)")("a child traces", () => {
  const feeds = { x: Tensor.float32([2, 3], [1, 2, 3, 4, 5, 6]) };

  test("what the process itself would", async () => {
    const small = model("g (float[N, 3] x) => (int64[K] s) { y = Concat <axis = 0> (x, x) s = Shape(y) }");
    const here = await traceShapes(small, await openRuntime(), feeds);
    expect(await traceInChild(small, feeds, { script })).toEqual(here);
  });

  test("its errors come back with code and place", async () => {
    const unknown = model("g (float[N, 3] x) => (float[N, 3] y) { [first] y = Foo(x) }");
    const trace = traceInChild(unknown, feeds, { script });
    await expect(trace).rejects.toEqual(failing("runtime/load"));
    await expect(trace).rejects.toMatchObject({ detail: { at: "Foo first" } });
  });

  test("an endless loop ends with the time", async () => {
    const endless = model(`g (float[N, 3] x) => (float[N, 3] y) <int64 n = {9223372036854775807}, bool go = {1}> {
      y = Loop (n, go, x) <body = b (int64 i, bool c, float[N, 3] v) => (bool d, float[N, 3] w) { d = Identity(c) w = Neg(v) }> }`);
    await expect(traceInChild(endless, feeds, { script, milliseconds: 2500 })).rejects.toEqual(failing("runtime/run"));
  });

  test("too much memory ends with its code", async () => {
    const large = model(`g (float[N, 3] x) => (float[N, 3] y) <int64[1] n = {400000000}, float[1] one = {1}> {
      c = Expand(one, n) m = ReduceMax <keepdims = 0> (c) y = Add(x, m) }`);
    const limits = { script, bytes: 400 * 2 ** 20, milliseconds: 20_000 };
    await expect(traceInChild(large, feeds, limits)).rejects.toEqual(failing("runtime/out-of-memory"));
  });

  test("an abort kills it", async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    const small = model("g (float[N, 3] x) => (float[N, 3] y) { y = Neg(x) }");
    await expect(traceInChild(small, feeds, { script, signal: stop.signal })).rejects.toEqual(
      failing("abort/interrupted"),
    );
  });
});
