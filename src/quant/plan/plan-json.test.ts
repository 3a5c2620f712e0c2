/** Plans as JSON: what is written is read back, a committed file is read as what it says, and what is wrong is named. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { seededFeeds } from "../../../test/same-outputs.ts";
import { fromArray } from "../../data/inner.ts";
import { parseModel } from "../../ir/inner.ts";
import { openRuntime, traceShapes } from "../../runtime/inner.ts";
import { calibrate, entriesByValue, type PlaceOptions, type Plan, place } from "../inner.ts";
import { planFromJson, planToJson } from "../inner-files.ts";
import { builtinTarget } from "../targets/targets.ts";

const model = () =>
  parseModel(
    `f (float[1,4,8,8] x) => (float[1,4] y) <float[4,4,3,3] w, float[4] b, float[4,4] g> {
      c = Conv(x, w, b)
      r = Relu(c)
      p = GlobalAveragePool(r)
      f = Flatten(p)
      y = Gemm(f, g) }`,
    { seed: 2 },
  );

async function planned(target: string, options: Partial<PlaceOptions> = {}): Promise<{ placed: Plan; plan: Plan }> {
  const [runtime, float] = [await openRuntime(), model()];
  const feeds = seededFeeds(float);
  const placed = place(float, builtinTarget(target), { shapes: await traceShapes(float, runtime, feeds), ...options });
  const { plan } = await calibrate(float, placed, runtime, fromArray("x", feeds.x!.shape, feeds.x!.floats()), {
    scheme: "minmax",
  });
  return { placed, plan };
}

describe("plan.json", () => {
  test.each(["ort-cpu", "aimet-default", "htp-v73"])("%s comes back as it was, to the last bit", async (target) => {
    const { placed, plan } = await planned(target);
    for (const one of [placed, plan]) expect(planFromJson(planToJson(one))).toEqual(one);
  });

  test("a file that was written by hand, with every field, is read as what it says and comes back byte by byte", () => {
    const text = readFileSync(new URL("../../../test/goldens/plan.json", import.meta.url), "utf8");
    const plan = planFromJson(text);
    expect(planToJson(plan)).toBe(text);
    expect([plan.version, plan.target, plan.entries.length]).toEqual([1, "ort-cpu", 9]);
    expect(plan.notQuantized).toEqual([
      { value: "y", reason: "it is an output of the model, and no integer kernel follows" },
    ]);
    const entries = entriesByValue(plan);
    expect(entries.get("n")!.storage).toBe("matmulnbits");
    expect(entries.get("x")!.encoding).toEqual({
      grid: { kind: "int", bits: 8, signed: false },
      granularity: { kind: "tensor" },
      symmetric: false,
      scale: [0.0234375],
      offset: [-131],
    });
    expect(entries.get("w")).toMatchObject({
      kind: "weight",
      narrowRange: true,
      pairSafe: true,
      shortScale: "coarse",
      frozen: true,
      granularity: { kind: "channel", axis: 0 },
      encoding: { scale: [0.125, 0.0078125], offset: [-7, -7] },
    });
    expect(entries.get("b")).toMatchObject({ kind: "bias", scaleFrom: { input: "x", weight: "w" } });
    expect(entries.get("m")!.granularity).toEqual({ kind: "block", axis: 0, size: 32, channelAxis: 1 });
    expect(entries.get("g")!.parameter).toBe(true);
    expect(entries.get("s")).toMatchObject({ range: { min: 0, max: 1 }, unsignedSymmetric: true });
    expect(entries.get("t")!.sharesEncodingOf).toBe("s");
    expect(entries.get("h")!.grid).toEqual({ kind: "float", dtype: "float16" });
  });

  test("an entry a line", async () => {
    const { plan } = await planned("ort-cpu");
    expect(
      planToJson(plan)
        .split("\n")
        .filter((line) => line.startsWith('{"value"')).length,
    ).toBe(plan.entries.length + plan.notQuantized.length);
  });

  const faults: Record<string, [change: (plan: Plan) => unknown, message: RegExp]> = {
    "another version": [(plan) => ({ ...plan, version: 2 }), /version/],
    "an unknown key": [(plan) => ({ ...plan, entires: [] }), /entires/],
    "a value twice": [(plan) => ({ ...plan, entries: [...plan.entries, plan.entries[0]] }), /one entry a value/],
    "a tie to nothing": [
      (plan) => ({ ...plan, entries: [{ ...plan.entries[0], sharesEncodingOf: "nobody" }] }),
      /nobody/,
    ],
    "a scale of zero": [
      (plan) => ({
        ...plan,
        entries: plan.entries.map((e) => ({ ...e, encoding: { ...e.encoding, scale: [0], offset: [0] } })),
      }),
      /scale/,
    ],
    "a range that ends before it begins": [
      (plan) => ({ ...plan, entries: [{ ...plan.entries[0], range: { min: 3, max: 1 } }] }),
      /min up to max/,
    ],
    "fewer offsets than scales": [
      (plan) => ({ ...plan, entries: plan.entries.map((e) => ({ ...e, encoding: { ...e.encoding, offset: [] } })) }),
      /offset/,
    ],
  };
  test.each(Object.entries(faults))("%s is refused", async (_, [change, message]) => {
    const { plan } = await planned("ort-cpu");
    const text = JSON.stringify(change(plan));
    expect(() => planFromJson(text, "p.json")).toThrowError(
      expect.objectContaining({ code: "quant/invalid-plan", message: expect.stringMatching(message) }),
    );
  });

  test("text that is no JSON", () => {
    expect(() => planFromJson("plan")).toThrowError(expect.objectContaining({ code: "quant/invalid-plan" }));
  });
});
