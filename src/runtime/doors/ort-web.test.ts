/** The web door in Node, on WebAssembly with one thread: the suite of all runtimes, what it refuses, and who is there. */
import { expect, test } from "vitest";
import { failure, model, runtimeSuite } from "../runtime-suite.ts";
import { openRuntime } from "./open-runtime.ts";
import { webMissing } from "./ort-failure.ts";
import { ortWeb } from "./ort-web.ts";
import { platform as node } from "./platform-node.ts";
import { platform as web } from "./platform-web.ts";

const runtime = await openRuntime("ort-web");

runtimeSuite("ort-web", runtime, [
  {
    test: "a node that fails is named",
    because: "the WebAssembly build leaves the names of nodes out of its messages",
  },
]);

const tiny = model("g (float[N] x) => (float[N] y) { y = Neg(x) }");

test("it names itself and its version", () => {
  expect([runtime.name, runtime.version]).toEqual(["ort-web", expect.stringMatching(/^1\.\d+\.\d+/)]);
  expect(runtime.providers).toEqual(["wasm"]);
});

test("the path of an optimized graph is refused: the engine would end the process", async () => {
  await expect(runtime.open(tiny, { optimizedModelPath: "/tmp/x.onnx" })).rejects.toEqual(failure("usage/bad-value"));
});

test("providers of a browser are missing in Node, for one session and for all", async () => {
  const said = failure("runtime/missing", { message: expect.stringContaining("got webgpu") });
  await expect(runtime.open(tiny, { providers: ["webgpu"] })).rejects.toEqual(said);
  await expect(openRuntime("ort-web", { providers: ["webgpu", "wasm"] })).rejects.toEqual(said);
});

test("without the package the error says what to install", async () => {
  const bare = { ...node, ortWeb: async () => Promise.reject(webMissing(new Error("Cannot find package"))) };
  await expect(ortWeb(bare)).rejects.toEqual(
    failure("runtime/missing", { detail: expect.objectContaining({ hint: expect.stringMatching(/npm install/) }) }),
  );
});

test("the first session fixes the number of threads", async () => {
  const seen: { numThreads?: number } = {};
  const engine = { env: { versions: { common: "1" }, wasm: seen } };
  const fake = { ...node, ortWeb: async () => engine as never };
  const { open } = await ortWeb(fake, { threads: 3 });
  await expect(open(tiny)).rejects.toThrow();
  await expect(open(tiny, { threads: 5 })).rejects.toThrow();
  expect(seen.numThreads).toBe(3);
});

test("in a browser there is no ort-node, and a model that is not there says so", async () => {
  await expect(web.ortNode({})).rejects.toEqual(failure("runtime/missing"));
  await expect(web.modelBytes("http://127.0.0.1:9/x.onnx")).rejects.toEqual(failure("runtime/load"));
});
