/**
 * One training step as one ONNX model: forward, backward and update. What it learns and remembers lies in a few flat buffers
 * that go in and come out.
 */
import { deferringRules, differentiate, Emitter, traceTypes } from "../autodiff/inner.ts";
import { AvocetError } from "../base/inner.ts";
import { cloneModel, type Graph, type Model, type TensorType, type Value } from "../ir/inner.ts";
import type { Runtime } from "../runtime/inner.ts";
import { arrayKind, type Feeds, type Shape, sizeOf, Tensor } from "../tensor/inner.ts";
import { addLoss } from "./add-loss.ts";
import { probeBlock } from "./blocked-layout/index.ts";
import { type Buffer, Buffers } from "./buffers.ts";
import { concatFlat, FlatLayout, flatTensor, initialTensors, substituteFlat } from "./flat.ts";
import { lossOpset } from "./loss.ts";
import type { TrainingSpec } from "./spec.ts";
import { speedUp } from "./speed-up.ts";
import { addUpdate } from "./update.ts";

export interface TrainingGraph {
  /**
   * Inputs: those of the model, the targets, `train.parameters`, one input for each further buffer, and the scalars of
   * `stepInputs`. Outputs: `train.loss`, the outputs asked for, and the buffers of the next step.
   */
  readonly model: Model;
  /** For a function as loss: the forward pass alone, from the same flat parameters to the outputs. */
  readonly forward?: Model;
  readonly parameters: FlatLayout;
  readonly statistics: FlatLayout;
  /** parameters, statistics, those of the optimizer, and gradients where they are accumulated. */
  readonly buffers: ReadonlyMap<string, Buffer>;
}

export const lossOutput = "train.loss";

/** Builds the step. Throws `graph/not-found`, `autodiff/no-gradient`, `data/wrong-inputs`, and what tracing throws. */
export async function trainingGraph(spec: TrainingSpec, runtime: Runtime): Promise<TrainingGraph> {
  const { states = [], loss: wanted } = spec;
  if (spec.model.opset < lossOpset) {
    throw new AvocetError("pass/unsupported", `expected opset ${lossOpset} or later, got ${spec.model.opset}`, {
      at: spec.model.source ?? spec.model.graph.name,
      hint: "normalise the model first, or upgrade it: avocet upgrade",
    });
  }
  const model = cloneModel(spec.model);
  const { graph } = model;
  const before = graph.valuesByName();
  const initial = initialTensors(
    spec.groups.flatMap((group) => group.names),
    before,
    spec.initial ?? {},
  );
  const running = initialTensors(
    states.map((state) => state.name),
    before,
    {},
  );
  const parameters = layoutOf(initial);
  const statistics = layoutOf(running);
  const targets = chosen(spec.example, wanted.targets);
  const types = await traceTypes(model, runtime, firstFeeds(graph, spec.example, initial));

  const e = new Emitter(graph, types);
  const buffers = new Buffers(graph);
  const flat = buffers.add("parameters", parameters.pack(initial));
  const learnt = substituteFlat(e, flat, parameters, before);
  if (states.length > 0) {
    substituteFlat(e, buffers.add("statistics", statistics.pack(running)), statistics, before);
  }
  const forward = wanted.kind === "function" ? cloneModel(model) : undefined;
  const { loss, seeds } = await addLoss({ model, types, targets, loss: wanted, runtime });
  const gradients = differentiate(model, seeds, [...learnt.values()], {
    types,
    rules: new Map([...deferringRules, ...(spec.rules ?? [])]),
    ...(spec.memory === undefined ? {} : { memory: spec.memory }),
  });
  const byName = new Map<string, Value>();
  for (const [name, value] of learnt) {
    const gradient = gradients.get(value);
    if (gradient) byName.set(name, gradient);
  }
  const next = addUpdate(e, {
    spec,
    buffers,
    layout: parameters,
    parameters: flat,
    gradient: concatFlat(e, parameters, byName),
  });
  const after = graph.valuesByName();
  if (states.length > 0) {
    const renewed = states.map((state) => [state.name, valueNamed(after, state.next)] as const);
    next.set("statistics", concatFlat(e, statistics, new Map(renewed)));
  }
  graph.setOutputs([]);
  if (loss) graph.addOutput(e.op("Identity", [loss], {}, { output: lossOutput }));
  for (const name of new Set(spec.outputs)) graph.addOutput(valueNamed(after, name));
  for (const [name, { output }] of buffers.all) {
    graph.addOutput(e.op("Identity", [next.get(name)!], {}, { output }));
  }
  const block = spec.kernels === "standard" ? 0 : await probeBlock(runtime);
  await speedUp(model, types, stepFeeds(graph, spec.example, buffers), runtime, block);
  return { model, ...(forward ? { forward } : {}), parameters, statistics, buffers: buffers.all };
}

/** One step's inputs, to learn the shapes of all values: those of the example, the first buffers, zeros for the rest. */
function stepFeeds(graph: Graph, example: Feeds, buffers: Buffers): Feeds {
  const initial = new Map([...buffers.all.values()].map(({ input, initial }) => [input, flatTensor(initial)]));
  return Object.fromEntries(
    graph.inputs.map(({ name, type }) => [name, example[name] ?? initial.get(name) ?? zeros(type as TensorType)]),
  );
}

function layoutOf(tensors: ReadonlyMap<string, Tensor>): FlatLayout {
  return new FlatLayout([...tensors].map(([name, { shape }]) => ({ name, shape })));
}

/** What the forward pass alone reads: the inputs of the example, and first values of trained inputs. */
function firstFeeds(graph: Graph, example: Feeds, initial: ReadonlyMap<string, Tensor>): Feeds {
  const names = graph.inputs.filter((value) => !value.initializer).map((value) => value.name);
  const trained = names.filter((name) => initial.has(name)).map((name) => [name, initial.get(name)!] as const);
  const others = names.filter((name) => !initial.has(name));
  return { ...chosen(example, others), ...Object.fromEntries(trained) };
}

/** Some of the example's tensors. Throws `data/wrong-inputs` naming one that is absent. */
function chosen(example: Feeds, names: readonly string[]): Feeds {
  return Object.fromEntries(
    names.map((name) => {
      const tensor = example[name];
      if (tensor) return [name, tensor];
      throw new AvocetError("data/wrong-inputs", `expected ${name} in the example of a step, got none`, {
        at: name,
        hint: `it has ${Object.keys(example).join(", ") || "nothing"}`,
      });
    }),
  );
}

function valueNamed(values: ReadonlyMap<string, Value>, name: string): Value {
  const value = values.get(name);
  if (value) return value;
  throw new AvocetError("graph/not-found", `expected a value of the graph, got ${name}`, { at: name });
}

function zeros({ dtype, shape }: TensorType): Tensor {
  const lengths = (shape ?? []) as Shape;
  const Kind = arrayKind(dtype);
  return Tensor.of(dtype, lengths, new Kind(sizeOf(lengths)));
}
