/** The steps of a recipe, ready to run, and how `--method` spells one. */
import { AvocetError } from "../base/inner.ts";
import { type Change, methodTable, type Step as Row, type State, type StepContext } from "../methods/inner.ts";
import { type MethodStepInput, methodSchema } from "./method-options.ts";

/** A step of a run: a row with its options. */
export interface Step {
  readonly name: string;
  readonly kind: Row["kind"];
  run(state: State, work: StepContext): Promise<Change>;
}

/** One step of a recipe, ready to run. */
export function readStep(step: MethodStepInput): Step {
  const { method, ...options } = methodSchema.parse(step);
  return readyStep(methodTable.find(({ name }) => name === method)!, options);
}

/** A row with options that its schema has checked. */
export function readyStep(
  { name, kind, run }: Pick<Row, "name" | "kind"> & { readonly run: unknown },
  options: Readonly<Record<string, unknown>>,
): Step {
  return { name, kind, run: (state, work) => (run as Row["run"])(state, work, options) };
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
