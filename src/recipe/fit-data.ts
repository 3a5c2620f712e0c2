/** Data as a model takes it: samples on the axes of its inputs, constants filled in, and states fed back. */
import { AvocetError, throwIfAborted, type Work } from "../base/inner.ts";
import { conform, type Dataset, type InputPort, isIndexed, portAxis, recordStates, type State } from "../data/inner.ts";
import type { Model } from "../ir/inner.ts";
import { inputPorts, type Runtime } from "../runtime/inner.ts";
import { byteLength, type DType, sizeOf, Tensor } from "../tensor/inner.ts";
import { shuffled } from "../train/inner.ts";
import type { Recipe } from "./schema.ts";

/** Steps of a stream are held in memory up to this size, so that their states can be. */
const mostBytes = 2 ** 28;

export interface FitOptions extends Work {
  readonly threads?: number;
}

/** The inputs that data must give: all but those that are fed back. Throws `usage/bad-value` for names the model lacks. */
export function dataPorts(model: Model, inputs: Recipe["inputs"]): InputPort[] {
  return inputPorts(model, inputs).filter(({ name }) => inputs?.[name]?.state === undefined);
}

/**
 * The data with every input on the axes of the model, once: data that names its axes already is taken as it is. States that
 * the recipe names are those that `model` computes: it is run through the steps, in order. Throws what `conform` throws,
 * `usage/bad-value`.
 */
export async function fitData(
  model: Model,
  data: Dataset,
  { inputs, sequence }: Pick<Recipe, "inputs" | "sequence">,
  runtime: Runtime,
  options: FitOptions = {},
): Promise<Dataset> {
  const states = statesOf(model, inputs);
  const done = data.axes !== undefined && Object.keys(states).every((name) => Object.hasOwn(data.axes!, name));
  if (done) return data;
  const ports = dataPorts(model, inputs);
  const isOdd = ports.some((port) => portAxis(port) !== 0 || port.constant !== undefined);
  const fitted = isOdd && !data.axes ? await conform(data, ports) : data;
  if (Object.keys(states).length === 0) return fitted;
  const steps = isIndexed(fitted) ? fitted : await shuffled(fitted, mostBytes, options.signal);
  await using session = await runtime.open(model, options.threads ? { threads: options.threads } : {});
  const run = async (feeds: Parameters<typeof session.run>[0]) => {
    throwIfAborted(options);
    return await session.run(feeds);
  };
  // Each file of audio is a sequence of its own; --sequence cuts what lies in one array.
  const starts = new Set(fitted.starts);
  const whole = (index: number) => fitted.origin?.of(index) ?? index;
  const begins = (index: number) => index % (sequence ?? Number.POSITIVE_INFINITY) === 0 || starts.has(whole(index));
  return await recordStates(steps, { run, states, begins }, options);
}

/** The states by input, each beginning with zeros. Throws `usage/bad-value`. */
function statesOf(model: Model, inputs: Recipe["inputs"] = {}): Record<string, State> {
  const named = Object.entries(inputs).filter(([, { state }]) => state !== undefined);
  if (named.length === 0) return {};
  const outputs = model.graph.outputs.map(({ name }) => name);
  const ports = new Map(inputPorts(model, inputs).map((port) => [port.name, port]));
  return Object.fromEntries(
    named.map(([name, { state }]) => {
      if (!outputs.includes(state!)) {
        throw new AvocetError(
          "usage/bad-value",
          `expected an output of the model that "${name}" takes, got "${state}"`,
          {
            at: name,
            hint: `the outputs are ${outputs.join(", ")}`,
          },
        );
      }
      const port = ports.get(name)!;
      return [name, { output: state!, start: beginning(port), axis: portAxis(port) }];
    }),
  );
}

/** Zeros for one sample; a length that is free next to the samples' begins empty, as that of a cache does. */
function beginning(port: InputPort): Tensor {
  const axis = portAxis(port);
  const shape = port.shape?.map((dim, i) => (typeof dim === "number" ? dim : i === axis ? 1 : 0));
  if (!shape) {
    throw new AvocetError("usage/bad-value", `expected a state of known rank, "${port.name}" tells no shape`, {
      at: port.name,
      hint: "give its shape in the model",
    });
  }
  const dtype = (port.dtype ?? "float32") as DType;
  return Tensor.fromBytes(dtype, shape, new Uint8Array(byteLength(dtype, sizeOf(shape))));
}
