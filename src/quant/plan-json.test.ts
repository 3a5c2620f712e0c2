/** Plans and encodings files: what is written is read back, and what is wrong is named. */
import { describe, expect, test } from "vitest";
import { seededFeeds } from "../../test/same-outputs.ts";
import { fromArray } from "../data/index.ts";
import { parseModel } from "../ir/index.ts";
import { openRuntime, traceShapes } from "../runtime/index.ts";
import {
  applyEncodings,
  calibrate,
  type PlaceOptions,
  type Plan,
  parseGrid,
  place,
  planFromJson,
  planToJson,
  readEncodings,
  writeEncodings,
} from "./index.ts";
import { builtinTarget } from "./targets.ts";

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

  test("an entry a line", async () => {
    const { plan } = await planned("ort-cpu");
    expect(
      planToJson(plan)
        .split("\n")
        .filter((line) => line.startsWith('{"value"')).length,
    ).toBe(plan.entries.length + plan.left.length);
  });

  const faults: Record<string, [change: (plan: Plan) => unknown, message: RegExp]> = {
    "another version": [(plan) => ({ ...plan, version: 2 }), /version/],
    "an unknown key": [(plan) => ({ ...plan, entires: [] }), /entires/],
    "a value twice": [(plan) => ({ ...plan, entries: [...plan.entries, plan.entries[0]] }), /one entry a value/],
    "a tie to nothing": [(plan) => ({ ...plan, entries: [{ ...plan.entries[0], tiedTo: "nobody" }] }), /nobody/],
    "a scale of zero": [
      (plan) => ({
        ...plan,
        entries: plan.entries.map((e) => ({ ...e, encoding: { ...e.encoding, scale: [0], offset: [0] } })),
      }),
      /scale/,
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

describe("encodings files", () => {
  test.each(["0.6.1", "1.0.0", "2.0.0"] as const)(
    "%s: written, read, put into an empty plan, the same encodings",
    async (version) => {
      const { placed, plan } = await planned("aimet-default");
      const file = readEncodings(writeEncodings(plan, model(), { version }));
      const { plan: loaded, ignored } = applyEncodings(placed, file);
      expect(
        ignored.filter((name) => name !== "b"),
        "biases are derived, in 2.0.0 they are written",
      ).toEqual([]);
      for (const [i, entry] of loaded.entries.entries()) {
        expect(entry.frozen).toBe(true);
        expect(entry.encoding).toEqual(plan.entries[i]!.encoding);
      }
    },
  );

  test("blocks", async () => {
    const options = { weights: parseGrid("int4"), granularity: { block: 2 } } as const;
    const { placed, plan } = await planned("aimet-default", options);
    for (const version of ["1.0.0", "2.0.0"] as const) {
      const { plan: loaded } = applyEncodings(placed, readEncodings(writeEncodings(plan, model(), { version })));
      expect(loaded.entries.map((e) => e.encoding)).toEqual(plan.entries.map((e) => e.encoding));
    }
  });

  test("weights of three bits", async () => {
    const { placed, plan } = await planned("aimet-default", { weights: parseGrid("int3") });
    expect(planFromJson(planToJson(plan))).toEqual(plan);
    for (const version of ["1.0.0", "2.0.0"] as const) {
      const { plan: loaded } = applyEncodings(placed, readEncodings(writeEncodings(plan, model(), { version })));
      expect(loaded.entries.map((e) => e.encoding)).toEqual(plan.entries.map((e) => e.encoding));
    }
  });

  test("a float16 grid is an entry of its own", async () => {
    const half = parseGrid("float16");
    const { plan } = await planned("aimet-default", { weights: half, activations: half });
    expect(readEncodings(writeEncodings(plan, model())).half).toContain("w");
  });

  test.each([
    ["no JSON", "{"],
    ["another version", '{"version": "3.0.0"}'],
    ["a negative scale", '{"version": "2.0.0", "encodings": [{"name": "x", "output_dtype": "uint8", "y_scale": -1}]}'],
    [
      "an offset that is no integer",
      '{"version": "1.0.0", "param_encodings": [], "activation_encodings": [{"name": "x", "enc_type": "PER_TENSOR", "dtype": "INT", "bw": 8, "scale": [1], "offset": [0.5]}]}',
    ],
  ])("%s is refused", (_, text) => {
    expect(() => readEncodings(text)).toThrowError(expect.objectContaining({ code: "quant/invalid-encodings" }));
  });

  test("a scale per channel does not fit an entry with one scale", async () => {
    const { plan } = await planned("aimet-default");
    const { placed } = await planned("aimet-default-per-tensor");
    const file = readEncodings(writeEncodings(plan, model()));
    expect(() => applyEncodings(placed, file)).toThrowError(
      expect.objectContaining({ code: "quant/invalid-encodings" }),
    );
  });
});
