/** Metrics in other units than per cent: of the table, and written by a user; what gates and verdicts make of them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avocet, avocetJson, type Workshop, workshop } from "../../test/command-line.ts";
import { openRuntime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { readMetricModule } from "./metric-module.ts";
import { limitOf, tolerance } from "./tolerance.ts";

const error = (better = "lower", labels = "arrays") => `export default () => {
  let [sum, seen] = [0, 0];
  return {
    name: "mae", unit: "m", better: "${better}", labels: "${labels}",
    see(outputs, feeds, labels) {
      const found = Object.values(outputs)[0].floats();
      for (let n = 0, i = 0; n < labels.size; n++) for (const truth of labels.at(n).floats()) sum += Math.abs(found[i++] - truth);
      seen += found.length;
    },
    value: () => sum / seen,
  };
};`;

let shop: Workshop;
/** Mean absolute error of the float model, in the test's own arithmetic. */
let expected = 0;
beforeAll(async () => {
  shop = await workshop();
  shop.write("error.mjs", error());
  const x = Tensor.float32(
    [40, 8, 6, 6],
    Float32Array.from({ length: 40 * 288 }, (_, i) => Math.sin(i)),
  );
  shop.npy("waves.npy", x);
  await using session = await (await openRuntime()).open(shop.at("tiny.onnx"));
  const y = (await session.run({ x })).y!;
  // Labels near what the model answers, as regressions are judged: a quarter off on every second element.
  const labels = Float32Array.from(y.floats(), (value, i) => value + (i % 2 === 0 ? 0.25 : 0));
  expected = 0.125;
  shop.npy("targets.npy", Tensor.float32(y.shape, labels));
});
afterAll(() => shop[Symbol.dispose]());

const judged = (metric: string) => ["--labels", shop.at("targets.npy"), "--metric", metric];
const quantize = (name: string, metric: string, ...rest: string[]) =>
  avocetJson(["quantize", shop.at("tiny.onnx"), "--data", shop.at("waves.npy"), "--evaluate", shop.at("waves.npy"), ...judged(metric), "--preset", "fast", "-o", shop.at(name), ...rest]); // biome-ignore format: a command

describe("a user's metric", () => {
  test("evaluate shows it in its unit", async () => {
    const args = ["evaluate", shop.at("tiny.onnx"), "--data", shop.at("waves.npy"), ...judged(shop.at("error.mjs"))];
    const { json } = await avocetJson(args);
    expect(json).toMatchObject({ metric: "mae", unit: "m", better: "lower", samples: 40, interval: null });
    expect(json.value).toBeCloseTo(expected, 5); // float32 labels
    expect((await avocet(args)).out).toMatch(/^mae 0\.125 m of 40 samples/);
  });

  test("quantize gates it by unit and direction, and says so in summary and report", async () => {
    const kept = await quantize("kept", shop.at("error.mjs"), "--max-drop", "50%");
    expect(kept.code, kept.out).toBe(0);
    expect(kept.json.score).toMatchObject({ metric: "mae", unit: "m", better: "lower" });
    const rose = kept.json.score.quantized - kept.json.score.float;
    const text = await avocet(["report", shop.at("kept"), "-o", shop.at("kept.html")]);
    expect(text.out).toMatch(/(loses|gains) .* m,|scores as float/);
    // The score of the quantized model is worse or better by a known amount: gates next to it pass and fail.
    const above = await quantize("above", shop.at("error.mjs"), "--max-drop", `${Math.max(rose, 0) + 1e-4}m`);
    expect(above.code).toBe(0);
    const missed = await quantize("missed", shop.at("worse.mjs"), "--max-drop", "0.5m");
    expect(missed.code).toBe(3);
    expect(missed.err).toMatch(/gate\/missed: the score rose by 1 m, at most 0\.5 m was asked for/);
  });

  beforeAll(() => {
    // Float is made first: the second metric reads one more.
    shop.write("worse.mjs", `let made = -1; export default () => { const value = made++; return { name: "count", unit: "m", better: "lower", labels: "none", see() {}, value: () => value }; };`); // biome-ignore format: a module
  });

  test.each([
    ["no default export", "export const metric = 1;", /a function as the default export, got undefined/],
    ["no module", "export default {", /expected a module, got/],
    ["something that throws", 'export default () => { throw new Error("no"); };', /expected a metric, got no/],
    ["no metric", "export default () => ({ name: 1 });", /expected a Metric as what the default export makes/],
    ["no direction", error("more"), /expected a Metric/],
    ["unknown labels", error("lower", "sounds"), /expected a Metric/],
  ])("%s is refused with the shape that is expected", async (name, text, message) => {
    const path = shop.write(`${name.replaceAll(" ", "-")}.mjs`, text);
    const run = await avocet(["evaluate", shop.at("tiny.onnx"), "--data", shop.at("waves.npy"), ...judged(path)]);
    expect(run.code).toBe(2);
    expect(run.err).toMatch(/usage\/bad-value/);
    expect(run.err).toMatch(message);
    await expect(readMetricModule(path)).rejects.toMatchObject({ code: "usage/bad-value" });
  });

  test("a module that is not there", async () => {
    const run = await avocet([
      "evaluate",
      shop.at("tiny.onnx"),
      "--data",
      shop.at("waves.npy"),
      ...judged("./none.mjs"),
    ]);
    expect(run.err).toMatch(/import\/not-found/);
  });
});

describe("metrics in dB and against float", () => {
  test("psnr of the table", async () => {
    const { json, code, out } = await quantize("psnr", "psnr:2", "--max-drop", "20dB");
    expect(code, out).toBe(0);
    expect(json.score).toMatchObject({ metric: "psnr", unit: "dB", better: "higher", samples: 40 });
    // Squares of 0.25 on 100 of 200 elements; tiny has five outputs, so that samples have two or three of them.
    const ratio = (off: number) => 10 * Math.log10(4 / ((off * 0.0625) / 5));
    expect(json.score.float).toBeCloseTo((ratio(3) + ratio(2)) / 2, 3); // float32 labels
    expect(shop.json("psnr", "report.json").score.interval).not.toBeNull();
  });

  test("agreement needs no labels, and float agrees with itself", async () => {
    const { json } = await quantize("agreement", "agreement");
    expect(json.score).toMatchObject({ metric: "agreement", float: 1, quantized: json.agreement.float });
    const alone = await avocet([
      "evaluate",
      shop.at("tiny.onnx"),
      "--data",
      shop.at("waves.npy"),
      ...judged("agreement"),
    ]);
    expect(alone.err).toMatch(/expected two models for agreement/);
  });

  test("a tolerance in another unit than the metric's is refused before anything is made", async () => {
    const run = await quantize("refused", "psnr", "--max-drop", "0.1m");
    expect(run.code).toBe(2);
    expect(run.json.error.message).toMatch(/expected an amount in dB for psnr, got "0.1m"/);
    expect(shop.listing().some((name) => name.startsWith("refused"))).toBe(false);
  });
});

test("tolerances: in the unit, of float, in points", () => {
  expect(tolerance("0.5dB")).toMatchObject({ amount: 0.5, of: "unit", unit: "dB" });
  expect(limitOf(tolerance("2%"), { unit: "m", float: -3 })).toBeCloseTo(0.06, 12);
  expect(limitOf(tolerance("2%"), { unit: "%", float: 0.5 })).toBe(0.02);
  expect(limitOf(tolerance("1e-3"), { unit: "", float: 7 })).toBe(0.001);
  for (const text of ["", "much", "-1", "%"]) expect(() => tolerance(text)).toThrow(/expected an amount/);
});
