/** What all observers share: which schemes are AIMET's, and what is refused, with a way out. */
import { expect, test } from "vitest";
import { makeObserver } from "./make-observer.ts";
import { isAimets, type Scheme, seesSamples } from "./observer.ts";

test.each<[Scheme, boolean]>([
  ["minmax", true],
  ["percentile", true],
  ["percentile:99.9", true],
  ["tf_enhanced", true],
  ["sqnr", false],
  ["mse", false],
  ["entropy", false],
])("%s is in AIMET: %s", (scheme, wanted) => {
  expect(isAimets(scheme)).toBe(wanted);
});

test.each<Scheme>(["minmax", "percentile", "tf_enhanced", "sqnr", "mse", "entropy"])(
  "%s refuses numbers that are none, and to propose without any, and says what to do",
  (scheme) => {
    const refusal = (code: string, hint: RegExp) =>
      expect.objectContaining({ code, detail: expect.objectContaining({ hint: expect.stringMatching(hint) }) });
    expect(() => makeObserver(scheme).see(Float32Array.of(1, Number.NaN))).toThrowError(
      refusal("data/not-finite", /keep this value in float/),
    );
    expect(() => makeObserver(scheme).propose({ bits: 8, symmetric: false })).toThrowError(
      refusal("quant/not-calibrated", /data that reaches this value/),
    );
  },
);

test("a percentile without a number is that of 99.99, and an unknown scheme names the known ones", () => {
  const values = Float32Array.from({ length: 5000 }, (_, i) => i);
  const [usual, told] = [makeObserver("percentile"), makeObserver("percentile:99.99")];
  for (const observer of [usual, told]) observer.see(values);
  const choice = { bits: 8, symmetric: false };
  expect(usual.propose(choice)).toEqual(told.propose(choice));
  expect(() => makeObserver("best" as Scheme)).toThrowError(
    expect.objectContaining({
      code: "usage/bad-value",
      detail: expect.objectContaining({ hint: expect.stringContaining("entropy") }),
    }),
  );
});

test("a sample will do where errors are weighed by slopes, which are of a sample, too; it says how far the numbers reach", () => {
  const all: Scheme[] = ["minmax", "percentile", "percentile:99", "tf_enhanced", "sqnr", "mse", "entropy"];
  expect(all.filter(seesSamples)).toEqual(["sqnr"]);
  const observer = makeObserver("sqnr");
  observer.see(Float32Array.of(-1, 0.5, 2), [3], [-4, 8]);
  const { min, max } = observer.statistics();
  expect([min, max]).toEqual([-4, 8]);
});
