/** From a Keras model to ONNX: layers are called in the order in which their inputs are there, each by its row. */
import { AvocetError, isRefused } from "../../base/inner.ts";
import type { Dim } from "../../ir/inner.ts";
import { type DType, dtypes } from "../../tensor/inner.ts";
import type { Emitter } from "../channels-last/emitter.ts";
import type { Term } from "../channels-last/term.ts";
import { limits } from "../limits.ts";
import { LayerCall } from "./call.ts";
import {
  type Config,
  InputReference,
  isRecord,
  type LayerSpec,
  type ModelSpec,
  modelClasses,
  modelSpec,
  type Reference,
} from "./config.ts";
import { operation } from "./layers/operations.ts";
import { rowOf } from "./layers/table.ts";
import type { LayerWeights } from "./weights.ts";

/** Models in each other: applications nest one or two deep. */
const deepest = 20;

export class KerasTranslation {
  readonly #e: Emitter;
  readonly #file: string;
  readonly #version: number;
  readonly #faults = new Map<string, string[]>();
  #calls = 0;
  #depth = 0;

  constructor(e: Emitter, file: string, version: number) {
    this.#e = e;
    this.#file = file;
    this.#version = version;
  }

  /** The main model: inputs and outputs of the graph are called like their layers. */
  main(className: string, config: unknown, weights: LayerWeights): void {
    const spec = modelSpec(className, config, this.#file);
    const inputs = spec.inputs.map(({ layer }) => this.#input(spec, layer));
    const outputs = this.#run(spec, inputs, weights);
    if (this.#faults.size > 0) throw this.#unsupported();
    const names = new Set<string>();
    for (const [i, term] of outputs.entries()) {
      if (!term) throw this.#broken(`expected output ${i} of the model to be computed`);
      const { layer, output } = spec.outputs[i]!;
      const name = names.has(layer) || output > 0 ? `${layer}:${output}` : layer;
      names.add(name);
      this.#e.output(name, term);
    }
  }

  #input(spec: ModelSpec, name: string): Term {
    const layer = spec.layers.find((one) => one.name === name);
    if (!layer) throw this.#broken(`expected the input layer ${name}`);
    const { config } = layer;
    const shape =
      config.batch_shape ??
      config.batch_input_shape ??
      (Array.isArray(config.shape) ? [null, ...config.shape] : undefined);
    const isShape = Array.isArray(shape) && shape.length <= limits.rank;
    if (!isShape || !shape.every((v) => v === null || (Number.isSafeInteger(v) && (v as number) >= 0))) {
      throw this.#broken(`expected the shape of the input ${name}, got ${JSON.stringify(shape)?.slice(0, 80)}`);
    }
    const dims = shape.map(
      (length, axis): Dim => (typeof length === "number" ? length : axis === 0 ? "batch" : `${name}_${axis}`),
    );
    const dtype = typeof config.dtype === "string" ? config.dtype : "float32";
    if (!Object.hasOwn(dtypes, dtype) || dtype === "string") {
      throw new AvocetError("import/unsupported-type", `expected an input of numbers, got ${dtype}`, {
        at: `${this.#file}: ${name}`,
      });
    }
    // Half precision is a matter of how Keras computes: here everything is float32.
    const own: DType = dtype === "float16" || dtype === "bfloat16" ? "float32" : (dtype as DType);
    return this.#e.input(name, own, dims);
  }

  /** Calls all layers whose inputs are there, again and again, as Keras itself rebuilds a model. */
  #run(spec: ModelSpec, inputs: readonly Term[], weights: LayerWeights): (Term | undefined)[] {
    const found = new Map<string, readonly (Term | undefined)[]>();
    const key = (layer: string, call: number) => `${call} ${layer}`;
    const of = ({ layer, call, output }: Reference) => {
      const terms = found.get(key(layer, call));
      return { isThere: terms !== undefined, term: terms?.[output] };
    };
    if (inputs.length !== spec.inputs.length)
      throw this.#broken(`expected ${spec.inputs.length} inputs, got ${inputs.length}`);
    for (const [i, { layer }] of spec.inputs.entries()) found.set(key(layer, 0), [inputs[i]]);
    const isLayer = (layer: LayerSpec) => !layer.module.includes(".ops.");
    const weightsOf = weights.layers(spec.layers.filter(isLayer));
    const own = new Map<string, LayerWeights>();
    let waiting = spec.layers.flatMap((layer) => {
      const first = this.#firstCall(layer);
      return layer.calls.map((call, i) => ({ layer, call, index: first + i }));
    });
    while (waiting.length > 0) {
      const later: typeof waiting = [];
      for (const one of waiting) {
        const { layer, call, index } = one;
        if (found.has(key(layer.name, index))) continue;
        const args = substituted(call.args, of);
        const kwargs = substituted(call.kwargs, of);
        if (args.waits || kwargs.waits) {
          later.push(one);
          continue;
        }
        const isBehindFault = args.lacks || kwargs.lacks;
        const held = own.get(layer.name) ?? weightsOf(layer.name);
        own.set(layer.name, held);
        const made = isBehindFault ? [] : this.#call(layer, args.value as unknown[], kwargs.value as Config, held);
        found.set(key(layer.name, index), made);
      }
      if (later.length === waiting.length) {
        throw this.#broken(
          `expected layers in some order, got ${later.length} that wait for each other (${later[0]!.layer.name})`,
        );
      }
      waiting = later;
    }
    return spec.outputs.map((output) => of(output).term);
  }

  /** Keras 2 counts the making of a model, when it begins with an input, as the first call of it. */
  #firstCall({ className, config }: LayerSpec): number {
    if (this.#version >= 3 || !modelClasses.has(className) || !Array.isArray(config.layers)) return 0;
    const [first] = config.layers;
    return isRecord(first) && first.class_name === "InputLayer" ? 1 : 0;
  }

  #call(layer: LayerSpec, args: readonly unknown[], kwargs: Config, weights: LayerWeights): readonly Term[] {
    if (++this.#calls > limits.graphParts) throw this.#broken(`expected at most ${limits.graphParts} calls of layers`);
    const { name, className, config } = layer;
    const inputs = [args, kwargs].flatMap((value) => termsIn(value));
    return this.#e.operator(name, () => {
      try {
        if (modelClasses.has(className)) return this.#model(className, config, inputs, weights);
        const call = new LayerCall({
          e: this.#e,
          name,
          className,
          config,
          weights,
          inputs,
          args,
          kwargs,
          version: this.#version,
          inner: (one, terms, part) => this.#inner(one, terms, part, name),
        });
        if (className === "TFOpLambda") return [operation(call, String(config.function ?? name))];
        if (layer.module.includes(".ops.")) return [operation(call, className)];
        const row = rowOf(className);
        if (isRefused(row)) {
          this.#note(`${className}: ${row.refused}`, name);
          return [];
        }
        const made = row(call);
        return "dtype" in made ? [made] : made;
      } catch (error) {
        if (!AvocetError.is(error) || error.code !== "import/unsupported-operator" || this.#depth > 0) throw error;
        this.#note(`${className}: ${error.message}`, name);
        return [];
      }
    });
  }

  #inner(layer: unknown, inputs: readonly Term[], weights: LayerWeights, name: string): readonly Term[] {
    if (!isRecord(layer) || typeof layer.class_name !== "string")
      throw this.#broken(`expected the layer inside ${name}`);
    const spec: LayerSpec = {
      name,
      className: layer.class_name,
      module: typeof layer.module === "string" ? layer.module : "keras.layers",
      config: isRecord(layer.config) ? layer.config : {},
      calls: [],
    };
    this.#enter();
    try {
      const made = this.#call(spec, inputs, {}, weights);
      if (made.length > 0) return made;
      throw this.#e.fail(`expected a layer inside ${name} that can be translated, got ${layer.class_name}`);
    } finally {
      this.#depth--;
    }
  }

  #model(className: string, config: unknown, inputs: readonly Term[], weights: LayerWeights): readonly Term[] {
    const spec = modelSpec(className, config, this.#file);
    this.#enter();
    try {
      return this.#run(spec, inputs, weights).map((term) => {
        if (term) return term;
        throw this.#e.fail("expected a nested model without layers that cannot be translated");
      });
    } finally {
      this.#depth--;
    }
  }

  #enter(): void {
    if (++this.#depth > deepest) throw this.#broken(`expected models nested at most ${deepest} deep`);
  }

  #broken(problem: string): AvocetError {
    return new AvocetError("import/malformed", problem, { at: this.#file });
  }

  #note(problem: string, name: string): void {
    this.#faults.set(problem, [...(this.#faults.get(problem) ?? []), name]);
  }

  #unsupported(): AvocetError {
    const lines = [...this.#faults].slice(0, limits.faultsShown).map(([problem, names]) => {
      const shown = names.slice(0, 3).join(", ");
      return `  ${`${problem} (${names.length > 3 ? `${shown} and ${names.length - 3} more` : shown})`.slice(0, limits.faultLength)}`;
    });
    const more = this.#faults.size - lines.length;
    if (more > 0) lines.push(`  and ${more} more`);
    return new AvocetError(
      "import/unsupported-operator",
      `expected layers that can be translated, got\n${lines.join("\n")}`,
      { at: this.#file },
    );
  }
}

interface Substituted {
  readonly value: unknown;
  /** Something that it needs is not there yet. */
  readonly waits: boolean;
  /** Something that it needs cannot be had. */
  readonly lacks: boolean;
}

/** Terms in place of references. */
function substituted(
  value: unknown,
  of: (reference: Reference) => { isThere: boolean; term: Term | undefined },
): Substituted {
  if (value instanceof InputReference) {
    const { isThere, term } = of(value);
    return { value: term, waits: !isThere, lacks: isThere && !term };
  }
  if (!Array.isArray(value) && !isRecord(value)) return { value, waits: false, lacks: false };
  const parts = Object.entries(value).map(([key, one]) => [key, substituted(one, of)] as const);
  const made = parts.map(([key, part]) => [key, part.value] as const);
  return {
    value: Array.isArray(value) ? made.map(([, one]) => one) : Object.fromEntries(made),
    waits: parts.some(([, part]) => part.waits),
    lacks: parts.some(([, part]) => part.lacks),
  };
}

/** All terms in a value, in order. */
function termsIn(value: unknown): Term[] {
  if (Array.isArray(value)) return value.flatMap(termsIn);
  if (typeof value !== "object" || value === null) return [];
  if ("order" in value && "dtype" in value && "shape" in value) return [value as Term];
  return Object.values(value).flatMap(termsIn);
}
