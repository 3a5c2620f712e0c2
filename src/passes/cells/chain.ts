/** Steps that follow each other: the state after one is the state before the next, and all have the same parameters. */
import { type Refused, refuse } from "../../base/inner.ts";
import { floatConstant, isOp, type LengthTable } from "../../facts/inner.ts";
import type { Graph, Value } from "../../ir/inner.ts";
import { keyOf, type Source, sourceOf } from "./affine.ts";
import { gruAt } from "./gru.ts";
import { lstmAt } from "./lstm.ts";
import { type Input, inputsOf, type Parameters, parametersOf, sameParameters, weightsOf } from "./parameters.ts";
import { rnnAt } from "./rnn.ts";
import type { Step } from "./step.ts";

export interface Chain {
  readonly steps: readonly Step[];
  /** What each step reads as x. */
  readonly inputs: readonly (readonly Input[])[];
  readonly parameters: Parameters & { readonly r: Float32Array };
  /** The first states; null: zeros. */
  readonly start: { readonly h: Source | null; readonly c: Value | null };
}

/** All steps in a graph, in its order. */
export function stepsOf(graph: Graph, lengths: LengthTable): Step[] {
  return [...graph.nodes].flatMap((node) => {
    const step = isOp(node, "Add") ? (lstmAt(node, lengths) ?? gruAt(node, lengths)) : rnnAt(node, lengths);
    return step ?? [];
  });
}

/** The steps in chains, in the order of the graph. */
export function linked(steps: readonly Step[], lengths: LengthTable): Step[][] {
  const before = new Map<Step, Step>();
  const next = new Map<Step, Step>();
  const made = new Map(steps.map((step) => [step.after.h, step]));
  for (const step of steps) {
    const from = previousOf(step, made, lengths);
    if (!from || next.has(from)) continue;
    before.set(step, from);
    next.set(from, step);
  }
  return steps.flatMap((first) => {
    if (before.has(first)) return [];
    const chain = [first];
    for (let step = next.get(first); step; step = next.get(step)) chain.push(step);
    return first.op === "RNN" && chain.length === 1 ? [] : [chain];
  });
}

function previousOf(step: Step, made: ReadonlyMap<Value, Step>, lengths: LengthTable): Step | undefined {
  if (step.op === "GRU") return sameKind(step, made.get(step.before.h!));
  const sources = inputsOf(step).flatMap(({ read }) => (read && made.get(read)) ?? []);
  if (step.op === "LSTM") return sources.find((from) => from.op === "LSTM" && from.after.c === step.before.c);
  // What another layer computes is read, too; only the step before has the same parameters.
  return sources.find((from) => sameKind(step, from) && follows(from, step, lengths));
}

function sameKind(step: Step, from: Step | undefined): Step | undefined {
  return from?.op === step.op && from.hidden === step.hidden ? from : undefined;
}

function follows(from: Step, step: Step, lengths: LengthTable): boolean {
  const state = sourceOf(from.after.h, lengths);
  const own = parametersOf(step, without(inputsOf(step), state), state);
  if (!own?.r) return false;
  const all = inputsOf(from);
  return [null, ...all].some((source) => {
    const others = parametersOf(from, source ? without(all, source) : all, source);
    return others !== undefined && (others.r !== null || source === null) && sameParameters(own, others);
  });
}

function without(inputs: readonly Input[], state: Source | null): readonly Input[] {
  return inputs.filter((input) => !state || keyOf(input) !== keyOf(state));
}

/** A chain with its parameters, or why it is none. */
export function chainOf(steps: readonly Step[], lengths: LengthTable): Chain | Refused {
  const last = steps.at(-1)!;
  const states = steps.map((_, t) => (t === 0 ? undefined : sourceOf(steps[t - 1]!.after.h, lengths)));
  const only = steps.length === 1 ? firstState(last, lengths) : states.at(-1)!;
  if (!only) return refuse("none of what it reads is as long as its state");
  const parameters = parametersOf(last, without(inputsOf(last), only), only);
  if (!parameters?.r) return refuse("its sums are not those of one operator");
  const found: { readonly inputs: readonly Input[]; readonly state: Source | null }[] = [];
  for (const [t, step] of steps.entries()) {
    const all = inputsOf(step);
    const choices = states[t] ? [states[t]] : steps.length === 1 ? [only] : [...all, null];
    const state = choices.find((choice) => {
      const own = parametersOf(step, without(all, choice), choice);
      return own && (choice === null || own.r) && sameParameters(own, parameters);
    });
    if (state === undefined) return refuse(`step ${t} has other parameters than the last one`);
    found.push({ inputs: without(all, state), state });
  }
  const [first] = steps as readonly [Step];
  const named = first.before.h;
  // A state of zeros is folded into the bias.
  if (!found[0]!.state && named && !isZero(named)) return refuse("its first state goes into no product");
  return {
    steps,
    inputs: found.map(({ inputs }) => inputs),
    parameters: { ...parameters, r: parameters.r },
    start: { h: found[0]!.state, c: isZero(first.before.c) ? null : (first.before.c ?? null) },
  };
}

function isZero(value: Value | undefined): boolean {
  const tensor = floatConstant(value);
  return tensor !== undefined && tensor.size <= 2 ** 16 && tensor.numbers().every((number) => number === 0);
}

/** What a single step reads as its state: what it names, or what comes from where its cell comes from, from outside, or last. */
function firstState(step: Step, lengths: LengthTable): Source | undefined {
  const all = inputsOf(step).filter(({ inputs }) => inputs === step.hidden);
  const { h, c } = step.before;
  if (h) {
    const named = keyOf(sourceOf(h, lengths));
    return all.find((source) => keyOf(source) === named);
  }
  const cell = c && rootOf(c);
  return (
    all.findLast((source) => rootOf(source.value) === cell) ??
    all.findLast((source) => rootOf(source.value).isGraphInput) ??
    all.at(-1)
  );
}

/** Where a value comes from that is only moved. */
function rootOf(value: Value): Value {
  let at = value;
  while (isOp(at.producer, "Slice", "Squeeze", "Split", "Reshape", "Unsqueeze", "Transpose", "Gather", "Identity"))
    at = at.producer.input(0)!;
  return at;
}

/** Why nothing may take the place of the steps: somebody reads what is inside of them, or their weights. */
export function readElsewhere({ steps }: Chain): Refused | undefined {
  const nodes = new Set(steps.flatMap((step) => [...step.nodes]));
  const results = new Set<Value>(steps.map(({ after }) => after.h));
  const lastCell = steps.at(-1)!.after.c;
  if (lastCell) results.add(lastCell);
  const others = (value: Value) => [...value.uses()].some((use) => !("node" in use && nodes.has(use.node)));
  for (const node of nodes)
    for (const output of node.outputs)
      if (!results.has(output) && others(output)) return refuse(`${output.name}, which is inside, is read elsewhere`);
  for (const weight of steps.flatMap((step) => [...weightsOf(step)]))
    if (others(weight)) return refuse(`${weight.name} is read elsewhere, too`);
  return undefined;
}
