import { expect, test } from "vitest";
import { type ScheduleSpec, schedule } from "./schedule.ts";

const rates = (spec: ScheduleSpec, updates: number) =>
  Array.from({ length: updates }, (_, update) => schedule(spec, updates)(update));

/** Rates are compared to six digits: the expectations are written with as many. */
function expectRates(spec: ScheduleSpec, expected: readonly number[]): void {
  rates(spec, expected.length).forEach((rate, i) => {
    expect(rate).toBeCloseTo(expected[i]!, 6);
  });
}

test("constant, after a warmup", () => {
  expectRates({ kind: "constant", rate: 0.4 }, [0.4, 0.4, 0.4]);
  expectRates({ kind: "constant", rate: 0.4, warmup: 3 }, [0.1, 0.2, 0.3, 0.4, 0.4]);
});

test("half a cosine", () => {
  // 0.1 · (1 + cos(π · i / 4)) / 2.
  expectRates({ kind: "cosine", rate: 0.1 }, [0.1, 0.0853553, 0.05, 0.0146447]);
  expectRates({ kind: "cosine", rate: 0.1, end: 0.02 }, [0.1, 0.06]);
});

test("steps at shares of the way", () => {
  expectRates({ kind: "step", rate: 1, at: [0.5, 0.75] }, [1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]);
});

test("one cycle", () => {
  // torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=10).
  const golden = [0.04, 0.52, 1, 0.9504846, 0.8117456, 0.611262, 0.388742, 0.1882584, 0.0495194, 0.000004];
  expectRates({ kind: "one-cycle", rate: 1 }, golden);
});

test("a rate must be positive", () => {
  expect(() => schedule({ kind: "constant", rate: 0 }, 1)).toThrow("expected a learning rate above 0, got 0");
});
