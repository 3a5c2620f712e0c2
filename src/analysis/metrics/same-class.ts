/** Agreement as a metric: the share of decisions on which a model chooses the same class as the one it is compared with. */
import { Agreement } from "../agreement.ts";
import type { OutputMeaning } from "../output-meaning.ts";
import type { Metric, MetricOptions } from "./metric.ts";

/** Classes are on axis 1 where `meaning` does not say. NaN before anything was decided. */
export function sameClass({ output, meaning = onAxis1 }: MetricOptions = {}): Metric<"outputs"> {
  let agreement: Agreement | undefined;
  return {
    name: "agreement",
    unit: "%",
    better: "higher",
    labels: "outputs",
    see(outputs, _feeds, { outputs: reference, size }) {
      const name = output ?? Object.keys(outputs)[0]!;
      agreement ??= new Agreement(new Map([[name, meaning]]));
      agreement.see(name, reference[name]!, outputs[name]!, size);
    },
    value: () => agreement?.value() ?? Number.NaN,
  };
}

const onAxis1: OutputMeaning = { kind: "scores", axis: 1, joint: false, sure: true, why: "agreement is asked for" };
