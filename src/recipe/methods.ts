/** Every method that a recipe can name: its options, what it needs, and how it is run. The only list of them. */
import { z } from "zod";
import { AvocetError } from "../base/index.ts";
import type { Model } from "../ir/index.ts";
import {
  applyAdaRound,
  applyGptq,
  applySeqMse,
  correctBiases,
  equalizeLayers,
  type MethodContext,
  type MethodReport,
  type PreparationContext,
  removeDeadChannels,
} from "../methods/index.ts";
import type { Plan } from "../quant/index.ts";

/** A method with its options read: a preparation changes the float model, a solver decides weights with their encodings. */
export type Step =
  | {
      readonly kind: "prepare";
      readonly name: string;
      run(model: Model, context: PreparationContext): Promise<{ model: Model; report: MethodReport }>;
    }
  | {
      readonly kind: "solve";
      readonly name: string;
      /** `reference` is the float model before any weight was rounded. */
      run(
        model: Model,
        plan: Plan,
        context: MethodContext,
        reference: Model,
      ): Promise<{ model: Model; plan: Plan; report: MethodReport }>;
    };

type Reader = (options: unknown) => Step;

/** Defines a preparation; the schema checks and types its options. */
function prepare<S extends z.ZodType>(
  name: string,
  schema: S,
  run: (m: Model, c: PreparationContext, o: z.infer<S>) => Promise<{ model: Model; report: MethodReport }>,
): Reader {
  return (options) => {
    const read = parse(name, schema, options);
    return { kind: "prepare", name, run: (model, context) => run(model, context, read) };
  };
}

function solve<S extends z.ZodType>(
  name: string,
  schema: S,
  run: (
    m: Model,
    p: Plan,
    c: MethodContext,
    o: z.infer<S>,
    reference: Model,
  ) => Promise<{ model: Model; plan: Plan; report: MethodReport }>,
): Reader {
  return (options) => {
    const read = parse(name, schema, options);
    return {
      kind: "solve",
      name,
      run: (model, plan, context, reference) => run(model, plan, context, read, reference),
    };
  };
}

const count = z.number().int().nonnegative();
const rowsPerColumn = z.number().positive().optional();

const readers: Readonly<Record<string, Reader>> = {
  "dead-channels": prepare("dead-channels", z.strictObject({}), (model, context) => removeDeadChannels(model, context)),
  cle: prepare("cle", z.strictObject({}), (model, context) => equalizeLayers(model, context)),
  "bias-correction": solve(
    "bias-correction",
    z.strictObject({
      kind: z.enum(["empirical", "analytic", "hybrid"]).optional(),
      activations: z.boolean().optional(),
    }),
    (model, plan, context, options, reference) => correctBiases(model, plan, context, { ...given(options), reference }),
  ),
  adaround: solve(
    "adaround",
    z.strictObject({
      iterations: count.optional(),
      learningRate: z.number().positive().optional(),
      lambda: z.number().nonnegative().optional(),
      warmStart: z.number().min(0).max(1).optional(),
      descent: z.boolean().optional(),
      searchScales: z.boolean().optional(),
      bias: z.boolean().optional(),
      activations: z.boolean().optional(),
      rowsPerColumn,
    }),
    (model, plan, context, options) => applyAdaRound(model, plan, context, given(options)),
  ),
  seqmse: solve(
    "seqmse",
    z.strictObject({
      candidates: count.min(1).optional(),
      search: z.enum(["fine", "aimet"]).optional(),
      rowsPerColumn,
    }),
    (model, plan, context, options) => applySeqMse(model, plan, context, given(options)),
  ),
  gptq: solve(
    "gptq",
    z.strictObject({
      damping: z.number().positive().optional(),
      activationOrder: z.boolean().optional(),
      searchScales: z.boolean().optional(),
      bias: z.boolean().optional(),
      activations: z.boolean().optional(),
      rowsPerColumn,
    }),
    (model, plan, context, options) => applyGptq(model, plan, context, given(options)),
  ),
};

/** The names that `--method` and recipes know. */
export const methodNames: readonly string[] = Object.keys(readers);

/** One step of a recipe. Throws `recipe/invalid` for unknown methods and options. */
export function readStep(step: { readonly method: string; readonly [option: string]: unknown }): Step {
  const { method, ...options } = step;
  const reader = readers[method];
  if (!reader) {
    throw new AvocetError("recipe/invalid", `expected a method, got "${method}"`, { hint: methodNames.join(", ") });
  }
  return reader(options);
}

/** `adaround:iterations=1000,bias=false` as a step of a recipe. Throws `usage/bad-value`. */
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

function parse<S extends z.ZodType>(name: string, schema: S, options: unknown): z.infer<S> {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  throw new AvocetError("recipe/invalid", `the options of ${name} have faults:\n${z.prettifyError(result.error)}`, {
    at: name,
  });
}

/** Options without the absent ones: an explicit undefined is another thing under exact optional types. */
function given<T extends object>(
  options: T,
): { [K in keyof T]-?: Exclude<T[K], undefined> } extends infer R ? Partial<R> : never {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
