/** The parameters of a step as the operator takes them: W [gates · hidden, inputs], R [gates · hidden, hidden] and both biases. */
import { floatConstant } from "../../facts/inner.ts";
import type { Value } from "../../ir/inner.ts";
import { type Affine, keyOf, type Source, type Term, type Vector } from "./affine.ts";
import type { Step } from "./step.ts";

/** What a step reads from outside, with how many numbers each has. */
export interface Input extends Source {
  readonly inputs: number;
}

export interface Parameters {
  readonly w: Float32Array;
  /** Null: nothing of the step reads a state. */
  readonly r: Float32Array | null;
  /** [gates · hidden] of W, then of R. */
  readonly b: Float32Array;
}

/** Everything that the sums of a step read, each once, in the order of the file; not the state behind a reset gate. */
export function inputsOf(step: Step): readonly Input[] {
  const found = new Map<string, Input>();
  for (const { source, inputs } of sumsOf(step).flatMap(({ terms }) => terms)) {
    const isReset = step.reset && "state" in step.reset && source.value === step.reset.state;
    if (!isReset && !found.has(keyOf(source))) found.set(keyOf(source), { ...source, inputs });
  }
  return [...found.values()];
}

function sumsOf({ gates, reset }: Step): readonly Affine[] {
  return [...gates.map(({ sum }) => sum), ...(reset && "product" in reset ? [reset.product] : [])];
}

/** The constant matrices of a step. */
export function weightsOf(step: Step): ReadonlySet<Value> {
  return new Set(sumsOf(step).flatMap(({ terms }) => terms.map(({ weight }) => weight)));
}

/** The parameters, where `state` is what the step reads as its h (null: nothing) and all else is x; undefined: the sums are no step of the operator. */
export function parametersOf(step: Step, xs: readonly Input[], state: Source | null): Parameters | undefined {
  const { hidden, gates, reset } = step;
  const rows = gates.length * hidden;
  const columns = xs.reduce((sum, { inputs }) => sum + inputs, 0);
  // Every operator reads something besides its state. Large layers behind each other come here, and go.
  if (columns === 0) return undefined;
  const w = new Float32Array(rows * columns);
  const r = new Float32Array(rows * hidden);
  const b = new Float32Array(2 * rows);
  const stateKey = state && keyOf(state);
  const starts = new Map<string, number>();
  let start = 0;
  for (const x of xs) {
    starts.set(keyOf(x), start);
    start += x.inputs;
  }
  const seen = new Set<string>();
  let readsState = false;
  const put = (term: Term, gate: number, isState: boolean): boolean => {
    const key = `${gate} ${isState} ${keyOf(term.source)}`;
    const first = isState ? 0 : starts.get(keyOf(term.source));
    if (first === undefined || seen.has(key) || (isState && term.inputs !== hidden)) return false;
    seen.add(key);
    readsState ||= isState;
    fill(isState ? r : w, term, {
      row: gate * hidden,
      rows: hidden,
      column: first,
      columns: isState ? hidden : columns,
    });
    return true;
  };
  for (const [gate, { sum }] of gates.entries()) {
    const isFresh = step.op === "GRU" && gate === 2;
    for (const term of sum.terms) {
      const isReset = isFresh && reset !== undefined && "state" in reset && term.source.value === reset.state;
      // Of a first state of zeros nothing is left but this product.
      if (isReset && state === null) continue;
      const isState = isReset || keyOf(term.source) === stateKey;
      // The candidate reads the state behind its reset gate alone.
      if (isFresh && isState && !isReset) return undefined;
      if (!put(term, gate, isState)) return undefined;
    }
    addVectors(b, gate * hidden, hidden, sum.vectors);
  }
  if (reset && "product" in reset) {
    for (const term of reset.product.terms)
      if (keyOf(term.source) !== stateKey || !put(term, 2, true)) return undefined;
    addVectors(b, rows + 2 * hidden, hidden, reset.product.vectors);
  }
  // 1 − sigmoid(x) = sigmoid(−x): z stands first.
  if (step.turned)
    for (const [all, size] of [
      [w, columns],
      [r, hidden],
      [b, 1],
    ] as const)
      negate(all, hidden * size);
  return { w, r: readsState ? r : null, b };
}

function negate(numbers: Float32Array, count: number): void {
  for (let i = 0; i < count; i++) numbers[i] = -numbers[i]!;
}

function fill(
  into: Float32Array,
  { weight, turned, firstInput, inputs, firstOutput }: Term,
  at: { readonly row: number; readonly rows: number; readonly column: number; readonly columns: number },
): void {
  const tensor = floatConstant(weight)!;
  const numbers = tensor.floats();
  const width = tensor.shape[1]!;
  for (let output = 0; output < at.rows; output++)
    for (let input = 0; input < inputs; input++) {
      const [k, n] = [firstInput + input, firstOutput + output];
      into[(at.row + output) * at.columns + at.column + input] = numbers[turned ? n * width + k : k * width + n]!;
    }
}

function addVectors(into: Float32Array, start: number, count: number, vectors: readonly Vector[]): void {
  const sum = new Float64Array(count);
  for (const { value, first } of vectors) {
    const numbers = floatConstant(value)!.floats();
    for (let i = 0; i < count; i++) sum[i]! += numbers[numbers.length === 1 ? 0 : first + i]!;
  }
  into.set(sum, start);
}

/** Whether two steps have the same parameters; where one reads no state, R is not asked. Biases of folded products may differ in rounding. */
export function sameParameters(a: Parameters, b: Parameters): boolean {
  const equal = (x: Float32Array, y: Float32Array, tolerance: number) =>
    x.length === y.length &&
    x.every((number, i) => Math.abs(number - y[i]!) <= tolerance * Math.max(1, Math.abs(number)));
  return equal(a.w, b.w, 0) && (!a.r || !b.r || equal(a.r, b.r, 0)) && equal(a.b, b.b, 1e-6);
}
