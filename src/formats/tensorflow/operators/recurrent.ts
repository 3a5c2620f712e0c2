/**
 * LSTM and GRU layers that Keras writes as loops: recognised in the body of a loop, they become ONNX's operators, which run faster and can
 * be quantized. What is not exactly such a cell stays a loop.
 */
import type { Node, Value } from "../../../ir/inner.ts";
import { Tensor } from "../../../tensor/inner.ts";
import { pickedConstant } from "../../channels-last/sliced.ts";
import { transposed } from "../../channels-last/term.ts";

/** What a layer of this kind is made of: gates in the order of ONNX, each a stretch of `units` columns of the source's weights. */
export interface Cell {
  readonly op: "LSTM" | "GRU";
  readonly units: number;
  /** Along the steps, as the body reads it. */
  readonly read: Node;
  /** What the body has of the state before, and of the cell. */
  readonly hidden: Value;
  readonly memory?: Value;
  /** [1, gates · units, in], [1, gates · units, units] and [1, 2 · gates · units]. */
  readonly input: Tensor;
  readonly recurrent: Tensor;
  readonly bias: Tensor;
}

/** A sum taken apart: products, and constants along the last axis. */
interface Sum {
  readonly products: readonly { readonly left: Value; readonly weight: Tensor }[];
  readonly biases: readonly Tensor[];
}

function sumOf(value: Value): Sum | undefined {
  const products: { left: Value; weight: Tensor }[] = [];
  const biases: Tensor[] = [];
  const open = [value];
  while (open.length > 0) {
    const one = open.pop()!;
    const node = one.producer;
    if (one.initializer) biases.push(one.initializer);
    else if (node?.op === "Add") open.push(node.input(0)!, node.input(1)!);
    else {
      const weight = node?.op === "MatMul" ? node.input(1)?.initializer : undefined;
      if (weight?.shape.length !== 2) return undefined;
      products.push({ left: node!.input(0)!, weight });
    }
    if (products.length > 2 || biases.length > 2) return undefined;
  }
  return { products, biases };
}

/** The length of the last axis, where it is known. */
function lastLength({ type }: Value): number | undefined {
  const length = type?.kind === "tensor" ? type.shape?.at(-1) : undefined;
  return typeof length === "number" ? length : undefined;
}

/** Which stretch of which value this is: an output of Split, or a Slice of the last axis. */
function partOf(value: Value): { whole: Value; start: number; length: number } | undefined {
  const node = value.producer;
  const length = lastLength(value);
  if (!node || length === undefined) return undefined;
  const whole = node.input(0)!;
  if (node.op === "Split" && node.int("axis", 0) === 1) {
    const before = node.outputs.slice(0, node.outputs.indexOf(value));
    const start = before.reduce((sum, one) => sum + (lastLength(one) ?? Number.NaN), 0);
    return { whole, start, length };
  }
  if (node.op !== "Slice" || node.inputs.length > 4) return undefined;
  const [start, , axis] = [1, 2, 3].map((i) => node.input(i)?.initializer?.numbers());
  return start?.length === 1 && axis?.[0] === 1 ? { whole, start: start[0]!, length } : undefined;
}

const operands = (value: Value | null | undefined, op: string): readonly [Value, Value] | undefined => {
  const node = value?.producer;
  return node?.op === op && node.input(0) && node.input(1) ? [node.input(0)!, node.input(1)!] : undefined;
};

const argument = (value: Value | null | undefined, op: string): Value | undefined =>
  value?.producer?.op === op ? (value.producer.input(0) ?? undefined) : undefined;

/** The operands in the order in which the first one passes. */
function ordered<T>(
  pair: readonly [Value, Value] | undefined,
  first: (value: Value) => T | undefined,
): [T, Value] | undefined {
  if (!pair) return undefined;
  for (const [a, b] of [pair, [pair[1], pair[0]] as const]) {
    const found = first(a);
    if (found !== undefined) return [found, b];
  }
  return undefined;
}

/** h' = o · tanh(c'), c' = f · c + i · tanh(g), all four gates of one sum. */
export function lstmOf(hidden: Value, isState: (value: Value) => boolean): (Cell & { next: Value }) | undefined {
  const out = ordered(operands(hidden, "Mul"), (value) => argument(value, "Tanh"));
  const memory = out?.[0];
  const sums = operands(memory, "Add");
  const forget =
    sums && ordered(sums, (value) => ordered(operands(value, "Mul"), (one) => (isState(one) ? one : undefined)));
  const update = forget && ordered(operands(forget[1], "Mul"), (value) => argument(value, "Tanh"));
  if (!out || !memory || !forget || !update) return undefined;
  // i, o, f, g: ONNX has the cell's own input last.
  const gates = [
    argument(update[1], "Sigmoid"),
    argument(out[1], "Sigmoid"),
    argument(forget[0][1], "Sigmoid"),
    update[0],
  ];
  const parts = gates.map((gate) => (gate ? partOf(gate) : undefined));
  const whole = parts[0]?.whole;
  const units = parts[0]?.length ?? 0;
  if (!whole || !parts.every((part) => part?.whole === whole && part.length === units)) return undefined;
  const sum = sumOf(whole);
  if (sum?.products.length !== 2) return undefined;
  const starts = parts.map((part) => part!.start);
  const made = cellOf("LSTM", units, starts, sum, sum, isState);
  return made && made.hidden !== forget[0][0] ? { ...made, memory: forget[0][0], next: memory } : undefined;
}

/** h' = z · h + (1 − z) · tanh(x_h + r · u_h), with all of x in one sum and all of h in another. */
export function gruOf(hidden: Value, isState: (value: Value) => boolean): Cell | undefined {
  const kept = ordered(operands(hidden, "Add"), (value) =>
    ordered(operands(value, "Mul"), (one) => (isState(one) ? one : undefined)),
  );
  const fresh = kept && ordered(operands(kept[1], "Mul"), (value) => argument(value, "Tanh"));
  if (!kept || !fresh) return undefined;
  const gate = kept[0][1];
  const [one, same] = operands(fresh[1], "Sub") ?? [];
  if (same !== gate || one?.initializer?.size !== 1 || one.initializer.numbers()[0] !== 1) return undefined;
  const candidate = ordered(operands(fresh[0], "Add"), (value) => {
    const pair = operands(value, "Mul");
    return ordered(pair, (factor) => argument(factor, "Sigmoid"));
  });
  const sums = [operands(argument(gate, "Sigmoid"), "Add"), candidate && operands(candidate[0][0], "Add")];
  if (!candidate || !sums[0] || !sums[1]) return undefined;
  // z, r, h: each a part of the input's sum and one of the state's.
  const pairs = [sums[0], sums[1], [candidate[1], candidate[0][1]] as const].map((pair) => pair.map(partOf));
  const wholeX = pairs[2]![0]?.whole;
  const wholeH = pairs[2]![1]?.whole;
  const units = pairs[2]![0]?.length ?? 0;
  const starts = pairs.map((pair) => {
    const [x, h] = pair[0]?.whole === wholeX ? pair : [pair[1], pair[0]];
    const fits =
      x?.whole === wholeX && h?.whole === wholeH && x?.start === h?.start && x?.length === units && h?.length === units;
    return fits ? x!.start : undefined;
  });
  if (!wholeX || !wholeH || wholeX === wholeH || !starts.every((start) => start !== undefined)) return undefined;
  const [x, h] = [sumOf(wholeX), sumOf(wholeH)];
  if (x?.products.length !== 1 || h?.products.length !== 1) return undefined;
  const made = cellOf("GRU", units, starts, x, h, isState);
  return made?.hidden === kept[0][0] ? made : undefined;
}

function cellOf(
  op: Cell["op"],
  units: number,
  starts: readonly number[],
  x: Sum,
  h: Sum,
  isState: (value: Value) => boolean,
): Cell | undefined {
  const all = x === h ? x.products : [...x.products, ...h.products];
  const recurrent = all.find(({ left }) => isState(left));
  const input = all.find((one) => one !== recurrent);
  const read = input?.left.producer;
  const gates = starts.length;
  const fits = (weight: Tensor | undefined) => weight?.shape[1] === gates * units;
  if (
    !recurrent ||
    read?.op !== "Gather" ||
    !fits(input?.weight) ||
    !fits(recurrent.weight) ||
    recurrent.weight.shape[0] !== units
  )
    return undefined;
  if (new Set(starts).size !== gates || !starts.every((start) => start % units === 0 && start < gates * units))
    return undefined;
  const columns = starts.flatMap((start) => Array.from({ length: units }, (_, i) => start + i));
  const biases = (sum: Sum) => sum.biases.every((bias) => bias.size === gates * units);
  if (!biases(x) || !biases(h)) return undefined;
  const weight = (tensor: Tensor) => {
    const picked = pickedConstant(tensor, 1, columns)!;
    return transposed(picked, [1, 0]).reshape([1, gates * units, tensor.shape[0]!]);
  };
  return {
    op,
    units,
    read,
    hidden: recurrent.left,
    input: weight(input!.weight),
    recurrent: weight(recurrent.weight),
    bias: biasOf(columns, x.biases, x === h ? [] : h.biases),
  };
}

/** Of the input, then of the state; what adds to both at once counts once. */
function biasOf(columns: readonly number[], x: readonly Tensor[], h: readonly Tensor[]): Tensor {
  const sum = (tensors: readonly Tensor[], column: number) =>
    tensors.reduce((all, tensor) => Math.fround(all + tensor.floats()[column]!), 0);
  return Tensor.lazy("float32", [1, 2 * columns.length], () =>
    Float32Array.from({ length: 2 * columns.length }, (_, i) =>
      i < columns.length ? sum(x, columns[i]!) : sum(h, columns[i - columns.length]!),
    ),
  );
}
