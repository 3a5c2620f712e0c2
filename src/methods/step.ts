/** A method as a step of a run: a name, a schema that is the only source of its options, and what changes when it runs. */
import { z } from "zod";
import { AvocetError } from "../base/inner.ts";
import type { Dataset } from "../data/inner.ts";
import { checkSchema } from "../data/inner-files.ts";
import type { Model } from "../ir/inner.ts";
import type { Plan } from "../quant/inner.ts";
import type { MethodContext, MethodReport, MethodResult, PreparationContext, Prepared, StepContext } from "./method.ts";

/** Where a run stands, as far as methods know it. */
export interface State {
  /** The float model as it was read and normalised, the same through the whole run: what training learns from. */
  readonly source: Model;
  /** The float model before any weight was rounded; it computes what the source computes. */
  readonly prepared: Model;
  /** The prepared model with the weights that methods have decided so far; the same layers in the same order. */
  readonly decided: Model;
  /** With encodings; absent before the first calibration, when preparations run. */
  readonly plan?: Plan | undefined;
}

/** What a step changed; absent parts stay as they were. A new prepared model makes plan and decided model void. */
export interface Change {
  readonly prepared?: Model;
  readonly decided?: Model;
  readonly plan?: Plan;
  /** Whether ranges that were observed before are as good as new ones. Default false. */
  readonly rangesHold?: boolean;
  readonly report: MethodReport;
}

/** A row of the method table, one in each method's folder. */
export interface Step<Name extends string = string, Shape extends z.ZodRawShape = z.ZodRawShape> {
  /** As recipes and `--method` call it. */
  readonly name: Name;
  /**
   * "prepare" changes the float model and keeps its function; "solve" decides weights and their encodings, after which ranges are
   * observed again where they do not hold; "train" learns weights and ranges together, and nothing is observed after it.
   */
  readonly kind: "prepare" | "solve" | "train";
  /** Type, defaults and documentation of its options. */
  readonly options: z.ZodObject<Shape, z.core.$strict>;
  run(state: State, work: StepContext, options: z.output<z.ZodObject<Shape>>): Promise<Change>;
}

type Row<Name extends string, Shape extends z.ZodRawShape> = Pick<Step<Name, Shape>, "name" | "options">;
type Options<Shape extends z.ZodRawShape> = z.output<z.ZodObject<Shape>>;

/** A step that changes the float model and keeps its function. */
export function preparation<Name extends string, Shape extends z.ZodRawShape>(
  row: Row<Name, Shape> & {
    run(model: Model, work: PreparationContext, options: Options<Shape>): Promise<Prepared>;
  },
): Step<Name, Shape> {
  return {
    name: row.name,
    options: row.options,
    kind: "prepare",
    async run({ prepared }, work, options) {
      const { model, report } = await row.run(prepared, work, options);
      return { prepared: model, report };
    },
  };
}

/** A step that decides weights and encodings together, on data; the plan has encodings. */
export function solver<Name extends string, Shape extends z.ZodRawShape>(
  row: Row<Name, Shape> & {
    run(
      decided: Model,
      plan: Plan,
      work: MethodContext,
      options: Options<Shape>,
      prepared: Model,
    ): Promise<MethodResult>;
  },
): Step<Name, Shape> {
  return planned({
    ...row,
    kind: "solve",
    run: ({ prepared, decided, plan }, work, options) =>
      row.run(decided, plan, withData(row.name, work), options, prepared),
  });
}

/** A step that needs encodings and changes decided model and plan. */
export function planned<Name extends string, Shape extends z.ZodRawShape>(
  row: Row<Name, Shape> & {
    readonly kind: "solve" | "train";
    run(state: State & { readonly plan: Plan }, work: StepContext, options: Options<Shape>): Promise<MethodResult>;
  },
): Step<Name, Shape> {
  return {
    name: row.name,
    options: row.options,
    kind: row.kind,
    async run(state, work, options) {
      const { plan } = state;
      if (!plan) throw new AvocetError("quant/not-calibrated", `expected a plan before ${row.name}, got none`);
      const { model, ...result } = await row.run({ ...state, plan }, work, options);
      return { decided: model, ...result };
    },
  };
}

/** The same work, of which it is certain that it has data. Throws `data/none`. */
export function withData<Work extends StepContext>(step: string, work: Work): Work & { readonly data: Dataset } {
  const { data } = work;
  if (!data) throw new AvocetError("data/none", `expected data for ${step}, got none`);
  return { ...work, data };
}

/** The options of a method with their defaults. Throws `usage/bad-value` with every fault. */
export function optionsOf<T>(method: string, schema: z.ZodType<T>, given: unknown): T {
  const result = checkSchema(schema, given);
  if ("value" in result) return result.value;
  throw new AvocetError("usage/bad-value", `the options of ${method} have faults:\n${result.faults}`);
}

/** For methods that have no options. */
export const noOptions = z.strictObject({});
