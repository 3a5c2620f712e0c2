/** Configurations of Keras models, of Keras 2 and 3: layers with their settings, and which outputs each call of a layer takes. */
import { AvocetError } from "../../base/inner.ts";

export type Config = Readonly<Record<string, unknown>>;

/** An output of a layer: the n-th of its m-th call. */
export interface Reference {
  readonly layer: string;
  readonly call: number;
  readonly output: number;
}

/** Arguments of a call; references stand for outputs of other layers, everything else is what it is. */
export interface LayerCallSpec {
  readonly args: readonly unknown[];
  readonly kwargs: Config;
}

export interface LayerSpec {
  readonly name: string;
  readonly className: string;
  /** keras.layers, or keras.src.ops.… for an operation that is no layer. */
  readonly module: string;
  readonly config: Config;
  readonly calls: readonly LayerCallSpec[];
}

export interface ModelSpec {
  readonly layers: readonly LayerSpec[];
  readonly inputs: readonly Reference[];
  readonly outputs: readonly Reference[];
}

/** Classes of models, which may be layers of others. */
export const modelClasses: ReadonlySet<string> = new Set(["Functional", "Model", "Sequential"]);

export const isRecord = (value: unknown): value is Config =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export class InputReference implements Reference {
  readonly layer: string;
  readonly call: number;
  readonly output: number;

  constructor(layer: string, call: number, output: number) {
    this.layer = layer;
    this.call = call;
    this.output = output;
  }
}

/** The layers of a Sequential or functional model. Throws `import/malformed` and `import/unsupported-operator`. */
export function modelSpec(className: string, config: unknown, file: string): ModelSpec {
  const broken = (problem: string) => new AvocetError("import/malformed", problem, { at: file });
  const layers = Array.isArray(config) ? config : isRecord(config) ? config.layers : undefined;
  if (!Array.isArray(layers)) {
    throw new AvocetError(
      "import/unsupported-operator",
      `expected a functional or Sequential model, got ${className}`,
      {
        at: file,
        hint: "the layers of a subclassed model are in its code alone: export it as a SavedModel, model.export(FOLDER)",
      },
    );
  }
  const specs = layers.map((layer) => layerSpec(layer, broken));
  const names = new Set(specs.map(({ name }) => name));
  if (names.size < specs.length) throw broken("expected a name of its own for every layer");
  if (className === "Sequential") return sequential(specs, config, broken);
  const ends = (key: string) => {
    const found = references(isRecord(config) ? config[key] : undefined);
    if (found.length === 0) throw broken(`expected ${key} of the model`);
    return found;
  };
  return { layers: specs, inputs: ends("input_layers"), outputs: ends("output_layers") };
}

function layerSpec(layer: unknown, broken: (problem: string) => AvocetError): LayerSpec {
  if (!isRecord(layer) || typeof layer.class_name !== "string" || !isRecord(layer.config)) {
    // A nested Sequential of old files has a list of layers for its configuration.
    if (isRecord(layer) && typeof layer.class_name === "string" && Array.isArray(layer.config)) {
      return layerSpec({ ...layer, config: { name: layer.name, layers: layer.config } }, broken);
    }
    throw broken("expected a layer with its class and configuration");
  }
  const name = layer.name ?? layer.config.name;
  if (typeof name !== "string" || name === "")
    throw broken(`expected the name of a layer of class ${layer.class_name}`);
  const inbound = Array.isArray(layer.inbound_nodes) ? layer.inbound_nodes : [];
  return {
    name,
    className: layer.class_name,
    module: typeof layer.module === "string" ? layer.module : "keras.layers",
    config: { ...layer.config, ...(isRecord(layer.build_config) ? { build_config: layer.build_config } : {}) },
    calls: inbound.map((node) => callSpec(node, name, broken)),
  };
}

/** Keras 3: {args, kwargs} with tensors by their history. Keras 2: a list of [layer, call, output, kwargs]. */
function callSpec(node: unknown, name: string, broken: (problem: string) => AvocetError): LayerCallSpec {
  if (isRecord(node)) {
    if (!Array.isArray(node.args) || !isRecord(node.kwargs)) throw broken(`expected the arguments of ${name}`);
    return { args: node.args.map((value) => resolved(value)), kwargs: resolved(node.kwargs) as Config };
  }
  if (!Array.isArray(node)) throw broken(`expected the inputs of ${name}`);
  const entries = referenceOf(node) ? [node] : node;
  let kwargs: Config = {};
  const args = entries.map((entry) => {
    const found = referenceOf(entry);
    if (!found)
      throw broken(`expected a layer and two numbers as input of ${name}, got ${JSON.stringify(entry)?.slice(0, 80)}`);
    const more = (entry as readonly unknown[])[3];
    if (isRecord(more)) kwargs = { ...kwargs, ...(resolved(more) as Config) };
    return found;
  });
  return { args, kwargs };
}

/** A value with references in place of what names outputs of layers. */
function resolved(value: unknown): unknown {
  const found = referenceOf(value);
  if (found) return found;
  if (Array.isArray(value)) return value.map(resolved);
  if (!isRecord(value)) return value;
  if (value.class_name === "__keras_tensor__" && isRecord(value.config))
    return referenceOf(value.config.keras_history) ?? value;
  if (value.class_name === "__tuple__" && Array.isArray(value.items)) return value.items.map(resolved);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolved(one)]));
}

function referenceOf(value: unknown): InputReference | undefined {
  if (!Array.isArray(value) || value.length < 3 || value.length > 4) return undefined;
  const [layer, call, output] = value;
  if (typeof layer !== "string" || !Number.isSafeInteger(call) || !Number.isSafeInteger(output)) return undefined;
  return new InputReference(layer, call as number, output as number);
}

/** All references in a value: one, a list, or by name. */
function references(value: unknown): InputReference[] {
  const found = referenceOf(value);
  if (found) return [found];
  if (Array.isArray(value)) return value.flatMap(references);
  return isRecord(value) ? Object.values(value).flatMap(references) : [];
}

/** Layers in a row: each takes what the one before makes. */
function sequential(specs: readonly LayerSpec[], config: unknown, broken: (problem: string) => AvocetError): ModelSpec {
  const first = specs[0];
  if (!first) throw broken("expected at least one layer");
  const isInput = first.className === "InputLayer";
  const shape = isRecord(config) ? (config.build_input_shape ?? first.config.batch_input_shape) : undefined;
  const built = isRecord(first.config.build_config) ? first.config.build_config.input_shape : undefined;
  const input: LayerSpec = isInput
    ? first
    : {
        name: `${first.name}_input`,
        className: "InputLayer",
        module: "keras.layers",
        config: {
          batch_input_shape: first.config.batch_input_shape ?? shape ?? built,
          dtype: first.className === "Embedding" ? "int32" : "float32",
        },
        calls: [],
      };
  const rest = isInput ? specs.slice(1) : specs;
  let before = input.name;
  const layers = rest.map((spec): LayerSpec => {
    const calls = [{ args: [new InputReference(before, 0, 0)], kwargs: {} }];
    before = spec.name;
    return { ...spec, calls };
  });
  return {
    layers: [input, ...layers],
    inputs: [{ layer: input.name, call: 0, output: 0 }],
    outputs: [{ layer: before, call: 0, output: 0 }],
  };
}
