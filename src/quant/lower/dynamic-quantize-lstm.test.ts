/** DynamicQuantizeLSTM: the file computes what the plan says, in both runtimes, and what it cannot hold stays with a reason. */
import { describe, expect, test } from "vitest";
import { outputsOf, seededFeeds } from "../../../test/same-outputs.ts";
import { signalToNoise } from "../../../test/signal-to-noise.ts";
import { inferTypes } from "../../facts/inner.ts";
import { cloneModel, parseModel } from "../../ir/inner.ts";
import { feedsFor, openRuntime, traceShapes } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { quantizeDequantize } from "../grids/fake-quantize.ts";
import { parseGrid } from "../grids/grid.ts";
import { encodeObserved } from "../observe/calibrate.ts";
import { place } from "../place/place.ts";
import { builtinTarget } from "../targets/targets.ts";
import { lower } from "./lower.ts";

const net = (attributes = "", inputs = ", b", directions = 1, more = "", outputs = "y, h, c") =>
  parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (float[6,2,12] x${more}) => (${outputs}) <float[${directions},64,12] w, float[${directions},64,16] r, float[${directions},128] b,
      float[${directions},2,16] h0, float[${directions},2,16] c0, float[${directions},48] p>
      { ${outputs.replaceAll("_", '""')} = LSTM <hidden_size = 16${attributes}> (x, w, r${inputs}) }`,
    { seed: 3 },
  );

async function planOf(model = net(), weights = "int8", granularity: "tensor" | "channel" = "channel") {
  const shapes = await traceShapes(model, await openRuntime(), seededFeeds(model));
  const placed = place(model, builtinTarget("ort-cpu"), { shapes, weights: parseGrid(weights), granularity });
  return encodeObserved(model, placed, new Map());
}

const forms: Record<string, [ReturnType<typeof net>, string?, ("tensor" | "channel")?]> = {
  "one direction": [net()],
  "one scale": [net(), "int8", "tensor"],
  "both directions": [net(', direction = "bidirectional"', ", b", 2)],
  "both directions with one scale": [net(', direction = "bidirectional"', ", b", 2), "int8", "tensor"],
  "backwards, clipped": [net(', direction = "reverse", clip = 0.7')],
  "four bits": [net(), "int4"],
  "six bits": [net(), "int6"],
  "states, peepholes and other functions": [
    net(
      ', activations = ["HardSigmoid", "Softsign", "Tanh"], activation_alpha = [0.3], activation_beta = [0.4]',
      `, b, "", h0, c0, p`,
    ),
  ],
  "no bias": [net("", "")],
  lengths: [net("", ", b, n", 1, ", int32[2] n")],
};

describe.each(Object.entries(forms))("%s", (_, [model, weights, granularity]) => {
  const seeded = seededFeeds(model);
  const feeds = seeded.n ? { ...seeded, n: Tensor.of("int32", [2], Int32Array.of(6, 3)) } : seeded;

  test.each(["ort-node", "ort-web"] as const)("in %s next to the same numbers in float", async (name) => {
    const plan = await planOf(model, weights, granularity);
    expect(plan.entries.map(({ value, storage }) => [value, storage])).toEqual([
      ["w", "dynamicquantizelstm"],
      ["r", "dynamicquantizelstm"],
    ]);
    const rounded = cloneModel(model);
    for (const { value, encoding } of plan.entries) {
      const constant = rounded.graph.valuesByName().get(value)!;
      constant.initializer = quantizeDequantize(constant.initializer!, encoding!, "half-even");
    }
    const shipped = lower(model, plan);
    expect([...shipped.model.graph.nodes].map(({ op }) => op)).toContain("DynamicQuantizeLSTM");
    expect(shipped.products[0]!.nodes[0]!.op).toBe("DynamicQuantizeLSTM");
    const wanted = await outputsOf(rounded, feeds);
    await using session = await (await openRuntime(name)).open(shipped.model);
    const found = await session.run(feedsFor(shipped.model, feeds));
    expect(Object.keys(found)).toEqual(Object.keys(wanted));
    for (const [output, tensor] of Object.entries(wanted)) {
      expect(found[output]!.shape).toEqual(tensor.shape);
      // Both have the same weights; x and the states are rounded to 8 bits on the way, 128 of their steps to the largest.
      expect(signalToNoise(tensor.floats(), found[output]!.floats()), output).toBeGreaterThan(33);
    }
  });
});

describe("what it cannot hold goes elsewhere, with the reason", () => {
  test.each([
    ["LSTM <hidden_size = 4, layout = 1> (x, w, r)", {}, /layout 1 has no kernel/],
    [
      'LSTM <hidden_size = 4, activations = ["Sigmoid", "ScaledTanh", "Tanh"]> (x, w, r)',
      {},
      /ScaledTanh has no alpha or beta/,
    ],
    ["LSTM <hidden_size = 4> (x, w, r)", { storage: [] }, /no integer kernel for it on CPU$/],
    ["LSTM <hidden_size = 4> (x, w, r) u = Add(r, r)", {}, /others read its weights/],
    ["LSTM <hidden_size = 4> (x, w, s)", {}, /its weights are computed/],
    ["GRU <hidden_size = 4> (x, v, q)", {}, /no integer kernel of GRU/],
    ["LSTM <hidden_size = 4> (x, w, r)", { weights: parseGrid("int16") }, /takes 8 bits and fewer/],
  ] as const)("%s %o", (node, more, reason) => {
    const model = parseModel(
      `<ir_version: 10, opset_import: ["" : 21]> f (float[6,2,8] x, float[1,16,4] s) => (y, z) <float[1,16,8] w, float[1,16,4] r, float[1,12,8] v, float[1,12,4] q, float[8,8] o>
        { y = ${node} z = MatMul(x, o) }`,
      { seed: 3 },
    );
    const plan = place(model, builtinTarget("ort-cpu"), { shapes: inferTypes(model), ...more });
    const name = node.startsWith("GRU") ? "v" : "w";
    const entry = plan.entries.find(({ value }) => value === name);
    expect(entry?.storage).not.toBe("dynamicquantizelstm");
    expect((entry ?? plan.notQuantized.find(({ value }) => value === name))?.reason).toMatch(reason);
  });
});
