/** Arguments of public functions, checked for programs without types: a wrong one is reported by name, not as a TypeError. */
import { AvocetError } from "./errors.ts";

interface Kind {
  readonly what: string;
  readonly is: (value: Record<string, unknown>) => boolean;
  readonly hint: string;
}

const isFunction = (value: unknown) => typeof value === "function";
const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** What arguments are, by what is used of them: objects of another copy of the package fit too. */
const kinds = {
  model: {
    what: "a Model",
    is: ({ graph, opsets }) => isObject(graph) && opsets instanceof Map,
    hint: "readModelFile(path) of avocet/node gives one, and readModel(bytes)",
  },
  dataset: {
    what: "a Dataset",
    is: ({ batches }) => isFunction(batches),
    hint: "fromTensors, fromArray, fromIterable and openData give one",
  },
  runtime: {
    what: "a Runtime",
    is: ({ open }) => isFunction(open),
    hint: "await openRuntime() gives one",
  },
  session: {
    what: "a Session",
    is: ({ run, inputs }) => isFunction(run) && Array.isArray(inputs),
    hint: "await runtime.open(model) gives one",
  },
  recipe: {
    what: "a recipe with its defaults",
    is: ({ target, calibration, float }) => target !== undefined && calibration !== undefined && Array.isArray(float),
    hint: "parseRecipe({ … }) checks one and fills its defaults",
  },
  metric: {
    what: "a Metric",
    is: ({ name, unit, better, labels, see, value }) =>
      typeof name === "string" &&
      typeof unit === "string" &&
      (better === "higher" || better === "lower") &&
      ["classes", "masks", "arrays", "boxes", "texts", "outputs", "none"].includes(labels as string) &&
      isFunction(see) &&
      isFunction(value),
    hint: "topK(1), meanIoU() and psnr() make one; your own is { name, unit, better, labels, see, value }",
  },
  labels: {
    what: "labels",
    is: ({ kind, at }) => typeof kind === "string" && isFunction(at),
    hint: "classLabels(numbers, source), maskLabels(…) and openLabels(path) give them",
  },
  plan: {
    what: "a Plan",
    is: ({ entries }) => Array.isArray(entries),
    hint: "place(model, target) and planFromJson(text) give one",
  },
  target: {
    what: "a Target",
    is: ({ name, weights, activations }) => typeof name === "string" && isObject(weights) && isObject(activations),
    hint: 'builtinTarget("ort-cpu") gives one, and parseTarget(json, name)',
  },
  feeds: {
    what: "tensors by input name",
    is: (value) => !ArrayBuffer.isView(value) && !Array.isArray(value) && Object.values(value).every(isTensor),
    hint: "for example { image: Tensor.float32([1, 3, 48, 48], numbers) }",
  },
  file: {
    what: "a model with its file",
    is: ({ model, file }) => isObject(model) && (typeof file === "string" || file instanceof Uint8Array),
    hint: "{ model, file, bytes }: the model, the path of its file or what is in it, and how large that is",
  },
  shapes: {
    what: "options with shapes",
    is: ({ shapes }) => shapes instanceof Map,
    hint: "{ shapes: inferTypes(model) }, or those that traceShapes(model, runtime, feeds) finds",
  },
  object: { what: "an object", is: () => true, hint: "options are one object" },
} as const satisfies Record<string, Kind>;

function isTensor(value: unknown): boolean {
  return isObject(value) && "dtype" in value && "shape" in value && Array.isArray(value.shape);
}

type Checked = keyof typeof kinds | "text" | "anyText" | "bytes" | "function" | "list" | "count";

/**
 * Throws `usage/bad-value` when an argument of `call` is not what its name stands for: `{ model: [model, "model"] }`. An
 * argument that may be absent is left out by the caller.
 */
export function expectArguments(
  call: string,
  given: Readonly<Record<string, readonly [value: unknown, kind: Checked]>>,
): void {
  for (const [name, [value, kind]] of Object.entries(given)) {
    const { what, hint, fits } = judge(value, kind);
    if (fits) continue;
    throw new AvocetError("usage/bad-value", `expected ${what} as ${name}, got ${shown(value)}`, { at: call, hint });
  }
}

function judge(value: unknown, kind: Checked): { what: string; hint: string; fits: boolean } {
  if (kind === "anyText") return { what: "a text", hint: "a string", fits: typeof value === "string" };
  if (kind === "text")
    return { what: "a text", hint: "for example a path", fits: typeof value === "string" && value !== "" };
  if (kind === "count") {
    return {
      what: "a whole number above zero",
      hint: "for example 1",
      fits: Number.isSafeInteger(value) && (value as number) > 0,
    };
  }
  if (kind === "list") return { what: "a list", hint: "an array", fits: Array.isArray(value) };
  if (kind === "bytes") {
    return {
      what: "bytes",
      hint: "a Uint8Array, for example new Uint8Array(buffer)",
      fits: value instanceof Uint8Array,
    };
  }
  if (kind === "function")
    return { what: "a function", hint: "() => iterable: data is read several times", fits: isFunction(value) };
  const { what, hint, is }: Kind = kinds[kind];
  return { what, hint, fits: isObject(value) && is(value as Record<string, unknown>) };
}

/** A value as a message shows it: short, and never its content. */
function shown(value: unknown): string {
  if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean")
    return String(value);
  if (typeof value === "string") return value === "" ? "an empty text" : "a text";
  if (value instanceof Promise) return "a promise (await it)";
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "a list";
  const name = (value as object).constructor?.name;
  return name && name !== "Object" ? `an object of ${name}` : "an object of another kind";
}
