/** Writes the nodes of an exported program in ONNX with the table of operators, and reports all that has no form there at once. */
import { AvocetError } from "../../base/inner.ts";
import type { Emitter } from "../channels-last/emitter.ts";
import type { Term } from "../channels-last/term.ts";
import { Faults } from "../onnx/scope.ts";
import { Call, outputNames, type Scope, type Slot, type Whole } from "./call.ts";
import { rowOf } from "./operators.ts";
import type { Program, ProgramNode } from "./program.ts";

/** Operators whose result shares the memory of their first argument: what writes into one of them writes into all. */
const views =
  /^aten\.(view|reshape|slice|select|transpose|permute|t|squeeze|unsqueeze|expand|narrow|split|split_with_sizes|chunk|unbind|flatten|unflatten|detach|alias|diagonal|view_as|expand_as|_unsafe_view|movedim|swapaxes|unsafe_split|unsafe_chunk|contiguous|to|dropout|tensor_split)\./;

export class Translation implements Scope {
  readonly file: string;
  readonly #program: Program;
  readonly #slots = new Map<string, Slot>();
  readonly #failed = new Set<string>();
  /** The value whose memory a view shares. */
  readonly #roots = new Map<string, string>();
  readonly #problems = new Map<string, string[]>();

  constructor(program: Program, file: string) {
    this.#program = program;
    this.file = file;
  }

  set(name: string, slot: Slot): void {
    this.#slots.set(name, slot);
  }

  term(name: string): Term {
    const slot = this.#slots.get(name);
    if (slot && "dtype" in slot) return slot;
    throw this.#missing(name, "tensor");
  }

  whole(name: string): Whole {
    const slot = this.#slots.get(name);
    if (slot && "whole" in slot) return slot.whole;
    throw this.#missing(name, "whole number");
  }

  meta(name: string) {
    return this.#program.meta(name);
  }

  #missing(name: string, what: string): AvocetError {
    return new AvocetError("import/malformed", `expected the ${what} ${JSON.stringify(name)}, got none of that name`, {
      at: this.file,
    });
  }

  run(e: Emitter): void {
    const lastUse = this.#lastUses();
    for (const [i, node] of this.#program.nodes.entries()) {
      e.named(node.name || node.target, () => this.#write(node, i, lastUse, e));
    }
    this.#finish();
  }

  #write(node: ProgramNode, i: number, lastUse: ReadonlyMap<string, number>, e: Emitter): void {
    const names = outputNames(node);
    const needs = [...node.inputs.values()].flatMap(({ value }) => namesIn(value));
    const row = rowOf(node.target);
    try {
      if (row === undefined) throw e.fail("no form in ONNX");
      if (needs.some((name) => this.#failed.has(name))) {
        for (const name of names) this.#failed.add(name);
        return;
      }
      const made = row(new Call(e, node, this));
      const slots =
        made === undefined ? [] : Array.isArray(made) ? (made as readonly (Term | undefined)[]) : [made as Slot];
      for (const [k, slot] of slots.entries()) {
        const name = names[k];
        if (slot && name) this.#slots.set(name, slot);
      }
      this.#share(node, names, i, lastUse, e);
    } catch (error) {
      if (!AvocetError.is(error) || error.code !== "import/unsupported-operator") throw error;
      const what = row === undefined ? node.target : `${node.target}: ${error.message}`;
      this.#problems.set(what, [...(this.#problems.get(what) ?? []), whereOf(node)]);
      for (const name of names) this.#failed.add(name);
    }
  }

  /** Follows what shares memory. A name that was written into means the result from then on; its views would, too, and are refused. */
  #share(
    node: ProgramNode,
    names: readonly string[],
    i: number,
    lastUse: ReadonlyMap<string, number>,
    e: Emitter,
  ): void {
    const first = [...node.inputs.values()][0];
    const source = first?.tag === "as_tensor" ? namesIn(first.value)[0] : undefined;
    if (source === undefined) return;
    const root = this.#roots.get(source) ?? source;
    if (views.test(node.target)) for (const name of names) this.#roots.set(name, root);
    if (!/^aten\.\w+_\./.test(node.target) || /^aten\.__/.test(node.target)) return;
    const others = [root, ...[...this.#roots].filter(([, of]) => of === root).map(([name]) => name)];
    for (const other of others) {
      if (other === source || names.includes(other)) continue;
      if ((lastUse.get(other) ?? -1) > i) {
        throw e.fail(
          `it writes into ${source}, which shares memory with ${other}; program.run_decompositions({}) undoes that`,
        );
      }
    }
    const made = this.#slots.get(names[0] ?? "");
    if (made) this.#slots.set(source, made);
    if (names[0]) this.#roots.set(names[0], root);
  }

  #lastUses(): Map<string, number> {
    const uses = new Map<string, number>();
    for (const [i, node] of this.#program.nodes.entries()) {
      for (const { value } of node.inputs.values()) for (const name of namesIn(value)) uses.set(name, i);
    }
    for (const { arg } of this.#program.outputs)
      for (const name of namesIn(arg.value)) uses.set(name, Number.POSITIVE_INFINITY);
    return uses;
  }

  #finish(): void {
    if (this.#problems.size === 0) return;
    const faults = new Faults();
    for (const [problem, places] of this.#problems) {
      const more = places.length > 3 ? ` and ${places.length - 3} more` : "";
      faults.add(`${problem} (${places.slice(0, 3).join(", ")}${more})`);
    }
    const lines = faults.shown.map((fault) => `  ${fault}`);
    if (faults.count > lines.length) lines.push(`  and ${faults.count - lines.length} more`);
    throw new AvocetError(
      "import/unsupported-operator",
      `expected operators that can be written in ONNX, got\n${lines.join("\n")}`,
      { at: this.file, hint: "docs/pytorch.md lists those that can; program.run_decompositions() leaves fewer kinds" },
    );
  }
}

const whereOf = ({ name, module }: ProgramNode) => (module ? `${name} in ${module}` : name);

/** All names in an argument; nesting is bounded by the limits of JSON. */
function namesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(namesIn);
  if (typeof value !== "object" || value === null) return [];
  const { name, as_name: named, as_tensor: tensor } = value as Record<string, unknown>;
  if (typeof name === "string") return [name];
  if (typeof named === "string") return [named];
  return tensor === undefined ? [] : namesIn(tensor);
}
