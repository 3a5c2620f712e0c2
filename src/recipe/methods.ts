/** How every method that a recipe can name is run. The only list of them beside that of their options. */
import { AvocetError } from "../base/index.ts";
import type { Model } from "../ir/index.ts";
import {
  applyAdaRound,
  applyGptq,
  applyReconstruction,
  applySeqMse,
  correctBiases,
  equalizeLayers,
  foldHighBiases,
  type MethodContext,
  type MethodResult,
  type PreparationContext,
  type Prepared,
  reestimateFoldedBatchNorms,
  removeDeadChannels,
  rewriteStandaloneBatchNorms,
} from "../methods/index.ts";
import type { Plan } from "../quant/index.ts";
import type { MethodStep } from "./method-options.ts";

/** A method with its options: a preparation changes the float model, a solver decides weights with their encodings. */
export type Step =
  | {
      readonly kind: "prepare";
      readonly name: string;
      run(model: Model, context: PreparationContext): Promise<Prepared>;
    }
  | {
      readonly kind: "solve";
      readonly name: string;
      /** `reference` is the float model before any weight was rounded. */
      run(model: Model, plan: Plan, context: MethodContext, reference: Model): Promise<MethodResult>;
    };

const prepare = (name: string, run: (model: Model, context: PreparationContext) => Promise<Prepared>): Step => ({
  kind: "prepare",
  name,
  run,
});

const solve = (name: string, run: Extract<Step, { kind: "solve" }>["run"]): Step => ({ kind: "solve", name, run });

/** One step of a recipe, ready to run. */
export function readStep(step: MethodStep): Step {
  const { method: name } = step;
  switch (step.method) {
    case "dead-channels":
      return prepare(name, removeDeadChannels);
    case "standalone-batch-norms":
      return prepare(name, (model, context) => rewriteStandaloneBatchNorms(model, context, given(step)));
    case "cle":
      return prepare(name, (model, context) => equalizeLayers(model, context, given(step)));
    case "high-bias":
      return prepare(name, foldHighBiases);
    case "adaround":
      return solve(name, (model, plan, context) => applyAdaRound(model, plan, context, given(step)));
    case "seqmse":
      return solve(name, (model, plan, context) => applySeqMse(model, plan, context, given(step)));
    case "gptq":
      return solve(name, (model, plan, context) => applyGptq(model, plan, context, given(step)));
    case "batch-norm-re-estimation":
      return solve(name, (model, plan, context, reference) =>
        reestimateFoldedBatchNorms(model, plan, context, { reference }),
      );
    case "bias-correction":
      return solve(name, (model, plan, context, reference) =>
        correctBiases(model, plan, context, { ...given(step), reference }),
      );
    case "reconstruction":
      return solve(name, (model, plan, context, reference) =>
        applyReconstruction(model, plan, context, { ...given(step), reference }),
      );
    default:
      return step satisfies never;
  }
}

/**
 * `adaround:iterations=1000,bias=false` as a step of a recipe, still to be checked by its schema. Throws
 * `usage/bad-value`.
 */
export function parseMethod(text: string): { method: string; [option: string]: unknown } {
  const [method = "", list] = text.split(/:(.*)/s);
  const options = (list ?? "")
    .split(",")
    .filter(Boolean)
    .map((pair) => {
      const [key, value] = pair.split("=");
      if (!key || value === undefined) {
        throw new AvocetError("usage/bad-value", `expected name:key=value,…, got "${text}"`, {
          hint: "for example adaround:iterations=1000",
        });
      }
      const plain =
        value === "true"
          ? true
          : value === "false"
            ? false
            : value !== "" && !Number.isNaN(Number(value))
              ? Number(value)
              : value;
      return [key, plain] as const;
    });
  return { method, ...Object.fromEntries(options) };
}

/** The options without the absent ones: an explicit undefined is another thing under exact optional types. */
function given<T extends { readonly method: string }>(
  step: T,
): { [K in keyof Omit<T, "method">]-?: Exclude<T[K], undefined> } extends infer R ? Partial<R> : never {
  const { method: _, ...options } = step;
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
