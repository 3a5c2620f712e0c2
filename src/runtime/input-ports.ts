/**
 * A model's inputs as data is checked against them, with the axis of each that counts samples: named by the user, or found
 * from symbolic lengths, from the recurrent layers that read the input, and from what the other inputs allow.
 */
import { AvocetError } from "../base/inner.ts";
import { type InputPort, portAxis } from "../data/inner.ts";
import { isRecurrent } from "../facts/inner.ts";
import type { Model, Node, Value } from "../ir/inner.ts";
import { rowOf } from "../ops/inner.ts";

type Shape = NonNullable<InputPort["shape"]>;

/** What a user says of an input. */
export interface InputChoice {
  /** The axis that counts samples; null: one tensor holds for all samples. Default: found. */
  readonly batch?: number | null | undefined;
  /** The number that fills it for all samples. */
  readonly constant?: number | undefined;
}

/** The inputs that a run must be given. Throws `usage/bad-value` for a choice that does not fit the model. */
export function inputPorts(model: Model, choices: Readonly<Record<string, InputChoice>> = {}): InputPort[] {
  const inputs = model.graph.inputs.filter((value) => !value.initializer);
  for (const [name, { batch }] of Object.entries(choices)) {
    const value = inputs.find((input) => input.name === name);
    const shape = value && shapeOf(value);
    if (!value) throw wrong(`expected an input of the model, got "${name}"`, name, inputs);
    if (typeof batch === "number" && shape && batch >= shape.length) {
      throw wrong(`expected an axis of "${name}", which has ${shape.length}, got ${batch}`, name, inputs);
    }
  }
  const batchName = symbolOfBatch(inputs);
  const stated = inputs.map((value) => choices[value.name]?.batch ?? undefined);
  const sure = inputs.map((value, i) => (stated[i] === undefined ? axisIn(value, batchName) : stated[i]));
  const lead = inputs.findIndex((value, i) => sure[i] !== undefined && sure[i] !== null && shapeOf(value));
  const first = lead < 0 ? inputs.findIndex((value) => (shapeOf(value)?.length ?? 0) > 0) : lead;
  const length = first < 0 ? null : (shapeOf(inputs[first]!)?.[sure[first] ?? 0] ?? null);
  return inputs.map((value, i) => {
    const { type, name } = value;
    const choice = choices[name] ?? {};
    const shape = shapeOf(value);
    const isNamed = choice.batch !== undefined;
    const batch = isNamed ? choice.batch : (sure[i] ?? (i === first ? 0 : besides(shape, length)));
    return {
      name,
      dtype: type?.kind === "tensor" ? type.dtype : null,
      shape,
      ...(batch !== undefined && batch !== (shape?.length === 0 ? null : 0) && { batch }),
      ...(isNamed && batch !== null && { batchNamed: true }),
      ...(choice.constant !== undefined && { constant: choice.constant }),
    };
  });
}

function wrong(problem: string, at: string, inputs: readonly Value[]): AvocetError {
  const known = inputs.map(
    (value) =>
      `${value.name}${
        shapeOf(value)
          ? ` [${shapeOf(value)!
              .map((d) => d ?? "?")
              .join(", ")}]`
          : ""
      }`,
  );
  return new AvocetError("usage/bad-value", problem, { at, hint: `the inputs are ${known.join(", ") || "none"}` });
}

function shapeOf({ type }: Value): Shape | null {
  return type?.kind === "tensor" ? type.shape : null;
}

/** The symbolic length that counts samples: one that is called so, else the one in front of every input that has axes. */
function symbolOfBatch(inputs: readonly Value[]): string | undefined {
  const shapes = inputs.flatMap((value) => shapeOf(value) ?? []);
  const names = shapes.filter((dim): dim is string => typeof dim === "string");
  const called =
    names.find((name) => /batch/i.test(name)) ?? names.find((name) => /^(n|b|bs|num_?samples|samples)$/i.test(name));
  if (called) return called;
  const fronts = new Set(inputs.flatMap((value) => shapeOf(value)?.slice(0, 1) ?? []));
  const [only] = fronts;
  return fronts.size === 1 && typeof only === "string" ? only : undefined;
}

/** The axis of an input, where its own shape or its readers tell it. */
function axisIn(value: Value, batchName: string | undefined): number | null | undefined {
  const shape = shapeOf(value);
  if (shape?.length === 0) return null;
  const found = shape?.flatMap((dim, axis) => (dim === batchName && batchName !== undefined ? [axis] : [])) ?? [];
  return found.length === 1 ? found[0] : recurrentAxis(value);
}

/** The inputs of a recurrent layer with an axis of samples, by the layout (0: steps first, 1: samples first). */
const recurrentAxes: Readonly<Record<number, readonly [number, number]>> = {
  0: [1, 0],
  4: [0, 0],
  5: [1, 0],
  6: [1, 0],
};

/** The axis that a recurrent layer takes for samples, where an input reaches one through nodes that only rename axes. */
function recurrentAxis(value: Value, depth = 8): number | undefined {
  for (const use of value.uses()) {
    if (!("node" in use)) continue;
    const { node } = use;
    const place = node.inputs.indexOf(value);
    if (isRecurrent(node) || node.opName === "com.microsoft.DynamicQuantizeLSTM") {
      const axes = recurrentAxes[place];
      if (axes) return axes[node.int("layout", 0) === 1 ? 1 : 0];
      continue;
    }
    if (depth === 0 || place !== 0) continue;
    for (const output of node.outputs) {
      const axis = recurrentAxis(output, depth - 1);
      const before = axis === undefined ? undefined : axisBefore(node, axis);
      if (before !== undefined) return before;
    }
  }
  return undefined;
}

/** The axis of a node's first input that becomes this axis of its output. */
function axisBefore(node: Node, axis: number): number | undefined {
  if (node.op === "Transpose") return node.ints("perm")?.[axis];
  if (/^(Slice|Split|Cast|Identity|QuantizeLinear|DequantizeLinear)$/.test(node.op)) return axis;
  return rowOf(node)?.elementwise && node.inputs.length === 1 ? axis : undefined;
}

/**
 * The axis of an input next to one whose samples count `length`. Where that is free, a fixed first axis cannot count them: the
 * only free axis does, and without one the input holds for all samples; of length 1 it prescribes runs of one sample. Where
 * it is fixed, an axis of that length does.
 */
function besides(shape: Shape | null, length: number | string | null): number | null | undefined {
  if (!shape || typeof shape[0] !== "number") return undefined;
  if (typeof length === "number") {
    const alike = shape.flatMap((dim, axis) => (dim === length ? [axis] : []));
    return shape[0] !== length && alike.length === 1 ? alike[0] : undefined;
  }
  const free = shape.flatMap((dim, axis) => (typeof dim === "number" ? [] : [axis]));
  if (free.length === 1) return free[0];
  return free.length === 0 && shape[0] !== 1 ? null : undefined;
}

/** The samples that the model takes at once where it fixes that, else null. */
export function fixedBatchOf(
  inputs: readonly InputPort[],
  axes: Readonly<Record<string, number | null>> = {},
): number | null {
  for (const port of inputs) {
    const axis = axes[port.name] === undefined ? portAxis(port) : axes[port.name]!;
    const length = axis === null ? null : port.shape?.[axis];
    if (typeof length === "number" && length > 0) return length;
  }
  return null;
}
