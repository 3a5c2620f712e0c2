/** The command line on ONNX Runtime Web: quantizing, judging and verifying there returns what ort-node returns. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { avocetJson, type Workshop, workshop } from "../../test/command-line.ts";

let shop: Workshop;
beforeAll(async () => {
  shop = await workshop();
});
afterAll(() => shop[Symbol.dispose]());

test("--runtime ort-web runs quantize, evaluate and verify", async () => {
  const data = ["--data", shop.at("x.npy")];
  const web = ["--runtime", "ort-web"];
  const run = (...args: string[]) => avocetJson([...args, ...data]);
  expect((await run("quantize", shop.at("tiny.onnx"), ...web, "-o", shop.at("web"))).code).toBe(0);
  expect((await run("quantize", shop.at("tiny.onnx"), "-o", shop.at("node"))).code).toBe(0);
  const [there, here] = [shop.json("web", "plan.json"), shop.json("node", "plan.json")];
  expect(there.entries.length).toBe(here.entries.length);
  for (const [i, { value, encoding }] of here.entries.entries()) {
    // Kernels of WebAssembly add in another order.
    expect(there.entries[i].encoding.scale[0] / encoding.scale[0], value).toBeCloseTo(1, 5);
    expect(there.entries[i].encoding.offset, value).toEqual(encoding.offset);
  }

  const score = await run("evaluate", shop.at("web"), ...web, "--labels", shop.at("y.npy"));
  expect(score.json).toMatchObject({ metric: "top1", samples: 40 });
  expect(score.json.value).toBeGreaterThan(0.9);

  const { json } = await run("verify", shop.at("web"), ...web);
  expect(json).toMatchObject({ runtime: "ort-web", samples: 40, floatKernels: expect.any(Array) });
  expect(json.agreement.simulation).toBeGreaterThan(0.95);
  expect(json.integerKernels).toBeGreaterThan(0);
  expect(json.latencyMs.quantized).toBeGreaterThan(0);
}, 60_000);
