/** What may cross the door between Avocet and a runtime: element types, and feeds that fit the inputs of a session. */
import { AvocetError } from "../base/inner.ts";
import { type DType, dtypes, type Feeds, Tensor, toFloat16Bits } from "../tensor/inner.ts";
import type { PortInfo } from "./runtime.ts";

/**
 * Whether ONNX Runtime's JavaScript doors hand over values of this type. Low-bit integers abort the process, bfloat16
 * and 8-bit floats fail at load: they must be Cast inside the graph.
 */
export function crosses(dtype: DType): boolean {
  const { bits, kind } = dtypes[dtype];
  if (kind === "complex") return false;
  if (kind === "float") return dtype === "float16" || bits >= 32;
  return kind === "string" || bits >= 8;
}

/** The error for a value that cannot cross; `type` is a dtype, or "sequence or optional". */
export function cannotCross(name: string | null, type: string): AvocetError {
  return new AvocetError(
    "runtime/unsupported-type",
    `expected ${name === null ? "inputs and outputs" : name} of a type that the runtime hands over, got ${type}`,
    { ...(name === null ? {} : { at: name }), hint: "Cast it inside the graph, or choose other outputs" },
  );
}

/** The feeds with floats of single and half precision in the one that an input takes, so that models in either run on the same data. */
export function inTypesOf(inputs: readonly PortInfo[], feeds: Feeds): Feeds {
  const changed = inputs.flatMap(({ name, dtype }) => {
    const tensor = feeds[name];
    if (!tensor || !dtype || tensor.dtype === dtype || !halves.has(dtype) || !halves.has(tensor.dtype)) return [];
    const floats = tensor.floats();
    const data = dtype === "float32" ? floats : Uint16Array.from(floats, toFloat16Bits);
    return [[name, Tensor.of(dtype, tensor.shape, data)] as const];
  });
  return changed.length === 0 ? feeds : { ...feeds, ...Object.fromEntries(changed) };
}

const halves: ReadonlySet<DType> = new Set<DType>(["float32", "float16"]);

/**
 * Throws unless the feeds are exactly what the inputs ask for: `data/wrong-inputs` for names, `data/wrong-dtype`,
 * `data/wrong-shape` (dynamic lengths fit anything), `runtime/unsupported-type`. `at` names the model.
 */
export function checkFeeds(inputs: readonly PortInfo[], feeds: Feeds, at?: string): void {
  const place = at === undefined ? {} : { at };
  const expected = inputs.map((input) => input.name);
  const given = Object.keys(feeds);
  const absent = expected.filter((name) => !Object.hasOwn(feeds, name));
  const unknown = given.filter((name) => !expected.includes(name));
  if (absent.length > 0 || unknown.length > 0) {
    throw new AvocetError("data/wrong-inputs", `expected the inputs ${list(expected)}, got ${list(given)}`, place);
  }
  for (const input of inputs) checkFeed(input, feeds[input.name]!, at);
}

function checkFeed(input: PortInfo, tensor: Tensor, at: string | undefined): void {
  const place = { at: at === undefined ? input.name : `${at}, input ${input.name}` };
  if (!crosses(tensor.dtype)) throw cannotCross(input.name, tensor.dtype);
  if (input.dtype !== null && input.dtype !== tensor.dtype) {
    throw new AvocetError("data/wrong-dtype", `expected ${input.dtype} for ${input.name}, got ${tensor.dtype}`, place);
  }
  const { shape } = input;
  if (shape === null) return;
  const fits =
    shape.length === tensor.shape.length && shape.every((dim, i) => typeof dim !== "number" || dim === tensor.shape[i]);
  if (!fits) {
    throw new AvocetError(
      "data/wrong-shape",
      `expected the shape [${shape.map((dim) => dim ?? "?").join(", ")}] for ${input.name}, got [${tensor.shape.join(", ")}]`,
      place,
    );
  }
}

function list(names: readonly string[]): string {
  return names.length > 0 ? names.join(", ") : "none";
}
