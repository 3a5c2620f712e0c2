/**
 * Shapes and types of all values, by execution: a Shape node on every value, so that any operator is exact, contrib
 * operators included, and nothing large is fetched. Bodies of If, Loop and Scan are not reached.
 */
import { debug, watched } from "../../base/inner.ts";
import {
  addNode,
  cloneModel,
  type Model,
  staticShape,
  type TensorType,
  tensorType,
  type Value,
} from "../../ir/inner.ts";
import type { DType, Feeds } from "../../tensor/inner.ts";
import { uncrossable } from "../door-types.ts";
import { feedsFor } from "../feeds.ts";
import type { Runtime } from "../runtime.ts";

/** One sample, unoptimised: models of gigabytes need some seconds. */
const traceSeconds = 600;

/**
 * The type of each tensor value of the main graph (inputs, constants, outputs of nodes) when the model runs on these
 * feeds; the keys are value names, the shapes are numbers. Values that are no tensors are left out. What the model
 * declares about shapes is not believed: files lie, and edits leave old declarations behind. Throws what `feedsFor` and
 * the door throw.
 */
export async function traceShapes(model: Model, runtime: Runtime, feeds: Feeds): Promise<Map<string, TensorType>> {
  const types = constantTypes(model);
  const fed = feedsFor(model, feeds);
  for (const [name, tensor] of Object.entries(fed)) types.set(name, tensorType(tensor.dtype, tensor.shape));
  const computed = computedValues(model);
  const start = performance.now();
  const { dtypes, shapes } = await watched(
    () => ({ what: "tracing shapes", at: model.source ?? model.graph.name, seconds: traceSeconds }),
    async () => {
      const dtypes = await dtypesOf(model, runtime, computed);
      return { dtypes, shapes: await shapesOf(model, runtime, fed, dtypes) };
    },
  );
  for (const [value, dtype] of dtypes) {
    const shape = shapes.get(value.name);
    if (shape) types.set(value.name, tensorType(dtype, shape));
  }
  debug(2, () => `traced ${types.size} values in ${(performance.now() - start).toFixed(1)} ms`);
  return types;
}

/**
 * The same from what the model declares, for a model that must not be run, or null when it does not state all: inputs
 * or values without a type, or with lengths that are no numbers.
 */
export function declaredTypes(model: Model): Map<string, TensorType> | null {
  const types = constantTypes(model);
  for (const value of [...model.graph.inputs, ...computedValues(model)]) {
    if (types.has(value.name)) continue;
    if (staticShape(value.type) === undefined) return null;
    types.set(value.name, value.type as TensorType);
  }
  return types;
}

function constantTypes(model: Model): Map<string, TensorType> {
  const types = new Map<string, TensorType>();
  for (const { name, initializer } of model.graph.initializers) {
    if (initializer) types.set(name, tensorType(initializer.dtype, initializer.shape));
  }
  return types;
}

/** The outputs of nodes that are not known to be something else than tensors. */
function computedValues(model: Model): Value[] {
  const found: Value[] = [];
  for (const node of model.graph.nodes) {
    for (const value of node.outputs) {
      if (value.name !== "" && (value.type === undefined || value.type.kind === "tensor")) found.push(value);
    }
  }
  return found;
}

/** Element types: what the model declares; the rest as graph outputs of a session that is opened and never run. */
async function dtypesOf(model: Model, runtime: Runtime, values: readonly Value[]): Promise<Map<Value, DType>> {
  const shut = uncrossable(model);
  const found = new Map<Value, DType>();
  const unknown: Value[] = [];
  for (const value of values) {
    const dtype = shut.get(value) ?? (value.type?.kind === "tensor" ? value.type.dtype : undefined);
    if (dtype) found.set(value, dtype);
    else unknown.push(value);
  }
  if (unknown.length === 0) return found;
  const copy = cloneModel(model);
  const byName = copy.graph.valuesByName();
  copy.graph.setOutputs(unknown.map((value) => byName.get(value.name)!));
  await using session = await runtime.open(copy, { optimization: "off" });
  const stated = new Map(session.outputs.map((output) => [output.name, output.dtype]));
  for (const value of unknown) {
    const dtype = stated.get(value.name);
    if (dtype) found.set(value, dtype);
  }
  return found;
}

async function shapesOf(
  model: Model,
  runtime: Runtime,
  feeds: Feeds,
  dtypes: ReadonlyMap<Value, DType>,
): Promise<Map<string, number[]>> {
  const copy = cloneModel(model);
  const { graph } = copy;
  if (!copy.opsets.has("")) copy.opsets.set("", 13);
  const byName = graph.valuesByName();
  const asked = new Map<string, Value>();
  // The last value first: ONNX Runtime walks back from the last output, so that every Shape then runs right behind what it
  // measures, which is freed; the other way around all values are alive at the end.
  for (const value of computedValues(model).reverse()) {
    const dtype = dtypes.get(value);
    if (!dtype) continue;
    const measured = byName.get(shapeBearer(value, dtype).name)!;
    asked.set(value.name, addNode(graph, "Shape", [measured], {}, { output: `${value.name}:shape` }).output);
  }
  graph.setOutputs([...asked.values()]);
  await using session = await runtime.open(copy, { optimization: "off" });
  const results = await session.run(feeds);
  const shapes = new Map<string, number[]>();
  for (const [name, output] of asked) shapes.set(name, results[output.name]!.numbers());
  return shapes;
}

/** ONNX Runtime has no Shape for 4-bit integers: those that QuantizeLinear and Cast make have the shape of their input. */
function shapeBearer(value: Value, dtype: DType): Value {
  const { producer } = value;
  const isNarrow = dtype.endsWith("int4") || dtype.endsWith("int2");
  return isNarrow && producer && /^(QuantizeLinear|Cast|CastLike)$/.test(producer.op) ? producer.input(0)! : value;
}
