/** Walks a TensorFlow graph from what is asked for and writes it with the table of operators; functions are written where they are called. */
import { AvocetError } from "../../base/inner.ts";
import type { Emitter } from "../channels-last/emitter.ts";
import type { Term } from "../channels-last/term.ts";
import { limits } from "../limits.ts";
import { Faults } from "../onnx/scope.ts";
import { choiceOf, isMerge } from "./branches.ts";
import { Call, type OperatorRow, type World } from "./call.ts";
import type { Reference, SourceFunction, SourceGraph, SourceNode } from "./graph.ts";
import { operatorRows, unsupported } from "./operators.ts";
import { failed, hasFailed, isTerm, nothing, type Slot, type Variable } from "./slots.ts";

/** What a file brings along next to its graph. */
export interface Outside {
  constant(node: SourceNode): Term | undefined;
  placeholder(node: SourceNode): Slot;
  variable(node: SourceNode): Variable;
}

/** The nodes of a graph or of one call of a function, and what came of them. */
interface Scope {
  readonly nodes: ReadonlyMap<string, SourceNode>;
  readonly args: ReadonlyMap<string, Slot>;
  readonly done: Map<string, readonly Slot[]>;
  readonly where: string;
}

export class Translation implements World {
  readonly #graph: SourceGraph;
  readonly #file: string;
  readonly #outside: Outside;
  /** Functions that are being written, outermost first. */
  readonly #calls: string[] = [];
  /** Operator → what is said of it, and the nodes. */
  readonly #problems = new Map<string, string[]>();
  #nodes = 0;
  /** Where the node that is being written stands. */
  #scope: Scope | undefined;

  constructor(graph: SourceGraph, file: string, outside: Outside) {
    this.#graph = graph;
    this.#file = file;
    this.#outside = outside;
  }

  /** Slots of the main graph. What could not be written is thrown by `finish`. */
  run(targets: readonly Reference[], e: Emitter): Slot[] {
    const scope = { nodes: this.#graph.nodes, args: new Map(), done: new Map(), where: this.#file };
    for (const target of targets) this.#visit(target.node, scope, e);
    return targets.map((target) => this.#slot(target, scope));
  }

  /** Throws `import/unsupported-operator` with everything that has no form in ONNX here. */
  finish(): void {
    if (this.#problems.size === 0) return;
    const faults = new Faults();
    for (const [problem, nodes] of this.#problems) {
      const shown = nodes.slice(0, 3).join(", ");
      faults.add(`${problem} (${shown}${nodes.length > 3 ? ` and ${nodes.length - 3} more` : ""})`);
    }
    const lines = faults.shown.map((fault) => `  ${fault}`);
    if (faults.count > lines.length) lines.push(`  and ${faults.count - lines.length} more`);
    throw new AvocetError(
      "import/unsupported-operator",
      `expected operators that can be written in ONNX, got\n${lines.join("\n")}`,
      {
        at: this.#file,
      },
    );
  }

  function(name: string): SourceFunction {
    const found = this.#graph.functions.get(name);
    if (found) return found;
    throw new AvocetError("import/malformed", `expected a function of the model, got ${JSON.stringify(name)}`, {
      at: this.#file,
    });
  }

  call(name: string, args: readonly Slot[], e: Emitter): Slot[] {
    const made = this.function(name);
    if (this.#calls.includes(name)) {
      throw new AvocetError("import/malformed", `the function ${name} calls itself`, { at: this.#file });
    }
    if (this.#calls.length >= limits.functionDepth) {
      throw new AvocetError("import/too-large", `expected functions at most ${limits.functionDepth} deep, got more`, {
        at: this.#file,
      });
    }
    if (args.length !== made.inputs.length) {
      throw new AvocetError(
        "import/malformed",
        `expected ${made.inputs.length} arguments of ${name}, got ${args.length}`,
        { at: this.#file },
      );
    }
    if (this.#calls.length === 0) this.#expectBounded(name);
    this.#calls.push(name);
    try {
      const scope = {
        nodes: made.nodes,
        args: new Map(made.inputs.map((input, i) => [input, args[i]!])),
        done: new Map(),
        where: `${this.#file}: function ${name}`,
      };
      for (const control of made.controls) this.#visit(control, scope, e);
      for (const output of made.outputs) this.#visit(output.node, scope, e);
      return made.outputs.map((output) => this.#slot(output, scope));
    } finally {
      this.#calls.pop();
    }
  }

  /** Refuses what would grow out of all measure when it is written, before it is. */
  #expectBounded(root: string): void {
    const sizes = new Map<string, number>();
    const sizeOf = (name: string, depth: number): number => {
      const known = sizes.get(name);
      if (known !== undefined) return known;
      const made = this.#graph.functions.get(name);
      // What calls itself or goes too deep is refused where it is met.
      if (!made || depth > limits.functionDepth) return 0;
      sizes.set(name, 0);
      let size = made.nodes.size;
      for (const node of made.nodes.values()) {
        for (const called of calledBy(node)) size += sizeOf(called, depth + 1);
      }
      sizes.set(name, size);
      return size;
    };
    if (sizeOf(root, 0) > limits.graphParts) throw this.#tooLarge();
  }

  #tooLarge(): AvocetError {
    const problem = `expected at most ${limits.graphParts} nodes with all functions inlined, got more`;
    return new AvocetError("import/too-large", problem, { at: this.#file });
  }

  constant(node: SourceNode): Term | undefined {
    return this.#outside.constant(node);
  }

  placeholder(node: SourceNode): Slot {
    return this.#outside.placeholder(node);
  }

  variable(node: SourceNode): Variable {
    return this.#outside.variable(node);
  }

  /** Writes a node after all that it needs; an explicit stack, because a graph may be as deep as a file pleases. */
  #visit(root: string, scope: Scope, e: Emitter): void {
    const open = new Set<string>();
    const stack: { node: SourceNode; needs: string[]; next: number; merged: boolean }[] = [];
    const enter = (name: string): void => {
      if (scope.args.has(name) || scope.done.has(name)) return;
      if (open.has(name)) throw this.#broken(`the graph goes in a circle through ${name}`, scope, circleHint);
      const node = scope.nodes.get(name);
      if (!node) throw this.#broken(`expected a node ${JSON.stringify(name)}, got none of that name`, scope);
      if (++this.#nodes > limits.graphParts) throw this.#tooLarge();
      open.add(name);
      const merges = isMerge(node);
      const choice = merges ? choiceOf(node, scope.nodes) : undefined;
      const data = rowOf(node.op)?.ignoresInputs
        ? []
        : (choice ? [choice.predicate] : node.inputs).map((input) => input.node);
      stack.push({ node, needs: [...node.controls, ...data], next: 0, merged: !choice });
    };
    enter(root);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const need = top.needs[top.next++];
      if (need !== undefined) enter(need);
      else if (!top.merged) {
        // Where the condition is known, what only the other side needs is never written.
        top.merged = true;
        top.next--;
        top.needs.push(...this.#sides(top.node, scope).map((input) => input.node));
      } else {
        stack.pop();
        open.delete(top.node.name);
        scope.done.set(top.node.name, this.#write(top.node, scope, e));
      }
    }
  }

  #write(node: SourceNode, scope: Scope, e: Emitter): readonly Slot[] {
    const row = rowOf(node.op);
    if (!row) {
      this.#problem(node.op, unsupported[node.op] ?? "", node);
      return [failed];
    }
    const read = isMerge(node) ? this.#sides(node, scope) : node.inputs;
    const slots = row.ignoresInputs
      ? []
      : node.inputs.map((input) => (read.includes(input) ? this.#slot(input, scope) : nothing));
    this.#scope = scope;
    if (slots.some(hasFailed)) return [failed];
    try {
      const made = e.operator(node.name, () => row.emit(new Call(e, node, slots, this)));
      return Array.isArray(made) ? (made as readonly Slot[]) : [made as Slot];
    } catch (error) {
      if (!AvocetError.is(error)) throw error;
      if (error.code !== "import/unsupported-operator") throw error;
      this.#problem(node.op, error.message, node);
      return [failed];
    }
  }

  condition(node: SourceNode): { predicate: Term; taken: number } {
    const scope = this.#scope!;
    const choice = choiceOf(node, scope.nodes);
    const predicate = choice && this.#slot(choice.predicate, scope);
    if (choice && predicate && isTerm(predicate)) return { predicate, taken: choice.taken };
    throw new AvocetError("import/unsupported-operator", "expected two sides of one condition", { at: node.name });
  }

  /** The inputs of a Merge that are there: one where the condition is known. */
  #sides(node: SourceNode, scope: Scope): readonly Reference[] {
    const choice = choiceOf(node, scope.nodes);
    const predicate = choice && this.#slot(choice.predicate, scope);
    const value = predicate && isTerm(predicate) ? predicate.content?.[0] : undefined;
    if (!choice || typeof value !== "number") return node.inputs;
    return [node.inputs[value !== 0 ? choice.taken : 1 - choice.taken]!];
  }

  #slot(reference: Reference, scope: Scope): Slot {
    const arg = scope.args.get(reference.node);
    if (arg) return arg;
    const made = scope.done.get(reference.node)!;
    const names = rowOf(scope.nodes.get(reference.node)?.op ?? "")?.outputs;
    const first = reference.output === null || !names ? 0 : names.indexOf(reference.output);
    const slot = first < 0 ? undefined : made[first + reference.index];
    if (slot) return slot;
    // Whatever follows from what could not be written could not be written either.
    if (made.length === 1 && made[0] === failed) return failed;
    if (made.length === 0 || made[0] === nothing) return nothing;
    throw this.#broken(
      `expected an output of ${reference.node}, got ${reference.output ?? ""}:${reference.index}`,
      scope,
    );
  }

  #problem(op: string, said: string, { name }: SourceNode): void {
    const problem = said ? `${op}: ${said}` : op;
    const nodes = this.#problems.get(problem) ?? [];
    this.#problems.set(problem, nodes);
    nodes.push(name);
  }

  #broken(problem: string, scope: Scope, hint?: string): AvocetError {
    return new AvocetError("import/malformed", problem, { at: scope.where, ...(hint ? { hint } : {}) });
  }
}

const circleHint =
  "loops of TensorFlow 1 are circles of Enter, Merge, Switch and NextIteration: export with tf.compat.v1.enable_control_flow_v2()";

/** The functions that a node names. */
function calledBy({ attributes }: SourceNode): string[] {
  return ["f", "then_branch", "else_branch", "cond", "body"]
    .map((key) => attributes.func(key))
    .filter((name) => name !== "");
}

function rowOf(op: string): OperatorRow | undefined {
  return Object.hasOwn(operatorRows, op) ? operatorRows[op] : undefined;
}
