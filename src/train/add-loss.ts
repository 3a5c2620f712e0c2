/** Appends a loss to a model, and reports with which gradients the backward pass begins. */
import { type Seed, seedPrefix } from "../autodiff/inner.ts";
import { AvocetError } from "../base/inner.ts";
import { absorb, cloneModel, type Model, type TensorType, tensorType, type Value } from "../ir/inner.ts";
import { upgradeOpset } from "../passes/inner.ts";
import { type Runtime, traceShapes } from "../runtime/inner.ts";
import { arrayKind, type Feeds, type Shape, sizeOf, Tensor } from "../tensor/inner.ts";
import type { FunctionLoss, GraphLoss, Loss, Types } from "./loss.ts";

interface LossPlace {
  readonly model: Model;
  /** Types of the model's values; those of the loss are added. */
  readonly types: Map<string, TensorType>;
  readonly targets: Feeds;
  readonly loss: Loss;
  readonly runtime: Runtime;
}

export async function addLoss(place: LossPlace): Promise<{ readonly loss: Value | null; readonly seeds: Seed[] }> {
  return place.loss.kind === "function" ? addSeeds(place, place.loss) : addGraph(place, place.loss);
}

/** Inputs for gradients that a function computes. */
function addSeeds({ model, types }: LossPlace, loss: FunctionLoss): { loss: null; seeds: Seed[] } {
  const outputs = outputsOf(model);
  const names = loss.outputs ?? [...outputs.keys()].slice(0, 1);
  const seeds = names.map((name) => {
    const value = outputs.get(name);
    if (!value) throw notAnOutput(name, outputs);
    return { value, gradient: model.graph.addInput(`${seedPrefix}${name}`, types.get(name)!) };
  });
  return { loss: null, seeds };
}

async function addGraph(place: LossPlace, loss: GraphLoss): Promise<{ loss: Value; seeds: Seed[] }> {
  const { model, types, targets, runtime } = place;
  const outputs = outputsOf(model);
  const outputTypes: Types = Object.fromEntries([...outputs.keys()].map((name) => [name, types.get(name)!]));
  const targetTypes: Types = Object.fromEntries(
    Object.entries(targets).map(([name, { dtype, shape }]) => [name, tensorType(dtype, shape)]),
  );
  const part = await raised(loss.model(outputTypes, targetTypes), model.opset);
  const { graph } = model;
  const feeds = Object.fromEntries(
    part.graph.inputs.map(({ name }) => {
      const type = outputTypes[name];
      const tensor = targets[name] ?? (type ? ones(type) : undefined);
      if (!tensor) throw notAnOutput(name, outputs);
      return [name, tensor];
    }),
  );
  const traced = await traceShapes(part, runtime, feeds);
  const inside = new Map<Value, Value | null>(
    part.graph.inputs.map((input) => [
      input,
      outputs.get(input.name) ?? graph.addInput(input.name, targetTypes[input.name]!),
    ]),
  );
  for (const [domain, version] of part.opsets) if (!model.opsets.has(domain)) model.opsets.set(domain, version);
  absorb(graph, part.graph, inside);
  for (const [from, to] of inside) {
    const type = traced.get(from.name);
    if (to && type) types.set(to.name, type);
  }
  const [scalar, ...more] = part.graph.outputs;
  const shape = traced.get(scalar?.name ?? "")?.shape ?? null;
  if (!scalar || sizeOf((shape ?? [0]) as Shape) !== 1) {
    throw new AvocetError("data/wrong-shape", `expected a loss of one number, got shape [${shape}]`, { at: "loss" });
  }
  const value = inside.get(scalar)!;
  const given = more.flatMap((output): Seed[] => {
    const to = outputs.get(output.name.replace(seedPrefix, ""));
    return to && output.name.startsWith(seedPrefix) ? [{ value: to, gradient: inside.get(output)! }] : [];
  });
  if (given.length > 0) return { loss: value, seeds: given };
  const gradient = graph.addInitializer("train.one", Tensor.float32(shape as Shape, [1]));
  return { loss: value, seeds: [{ value, gradient }] };
}

function outputsOf(model: Model): Map<string, Value> {
  return new Map(model.graph.outputs.map((value) => [value.name, value]));
}

async function raised(loss: Model, opset: number): Promise<Model> {
  if (loss.opset >= opset) return loss;
  const copy = cloneModel(loss);
  upgradeOpset(copy, opset);
  return copy;
}

/** Shapes alone count; ones keep logarithms and divisions finite. */
function ones({ dtype, shape }: TensorType): Tensor {
  const lengths = shape as Shape;
  const Kind = arrayKind(dtype);
  return Tensor.of(dtype, lengths, (new Kind(sizeOf(lengths)) as Float32Array).fill(1));
}

function notAnOutput(name: string, outputs: ReadonlyMap<string, Value>): AvocetError {
  return new AvocetError("graph/not-found", `expected an output of the model or a target, got ${name}`, {
    at: "loss",
    hint: `outputs are ${[...outputs.keys()].join(", ")}`,
  });
}
