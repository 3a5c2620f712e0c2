/** Writes the nodes of an exported program in ONNX with the table of operators, and reports all that has no form there at once. */
import { AvocetError } from "../../base/inner.ts";
import type { Dim } from "../../ir/inner.ts";
import type { Emitter } from "../channels-last/emitter.ts";
import type { Term } from "../channels-last/term.ts";
import { limits } from "../limits.ts";
import { Faults } from "../onnx/scope.ts";
import { Call, outputNames, type Row, type Scope, type Slot, type Whole } from "./call.ts";
import { rowOf } from "./operators.ts";
import type { Program, ProgramNode } from "./program.ts";
import { writtenBack } from "./written-back.ts";

/** Operators whose result shares the memory of their first argument: what writes into one of them writes into all. */
const views =
  /^aten\.(view|reshape|slice|select|transpose|permute|t|squeeze|unsqueeze|expand|narrow|split|split_with_sizes|chunk|unbind|flatten|unflatten|detach|alias|diagonal|view_as|expand_as|_unsafe_view|movedim|swapaxes|unsafe_split|unsafe_chunk|contiguous|to|dropout|tensor_split)\./;

/** Those that copy where elements do not lie as they have to. */
const copies = /^aten\.(reshape|flatten|contiguous|to)\./;

export class Translation implements Scope {
  readonly file: string;
  readonly #program: Program;
  readonly #slots = new Map<string, Slot>();
  readonly #failed = new Set<string>();
  /** The value whose memory a view shares. */
  readonly #roots = new Map<string, string>();
  /** How a view is made: by which node, of which name; the result of a write is the name that was written into. */
  readonly #views = new Map<
    string,
    { readonly node: ProgramNode | null; readonly of: string; readonly output: number }
  >();
  readonly #lastUse: ReadonlyMap<string, number>;
  /** The number of the node that is being written. */
  #at = 0;
  #looks = 0;
  readonly #problems = new Map<string, string[]>();

  constructor(program: Program, file: string) {
    this.#program = program;
    this.file = file;
    this.#lastUse = this.#lastUses();
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
    for (const [i, node] of this.#program.nodes.entries()) {
      this.#at = i;
      e.operator(node.name || node.target, () => this.#write(node, e));
    }
    this.#finish();
  }

  #write(node: ProgramNode, e: Emitter): void {
    const names = outputNames(node);
    const needs = [...node.inputs.values()].flatMap(({ value }) => namesIn(value));
    const row = rowOf(node.target);
    try {
      if (row === undefined) throw e.fail("no form in ONNX");
      if (needs.some((name) => this.#failed.has(name))) {
        for (const name of names) this.#failed.add(name);
        return;
      }
      for (const [k, slot] of this.#made(row, node, e).entries()) {
        const name = names[k];
        if (!slot || !name) continue;
        this.#expectSaid(name, slot, e);
        this.#slots.set(name, slot);
      }
      this.#share(node, names, e);
    } catch (error) {
      if (!AvocetError.is(error) || error.code !== "import/unsupported-operator") throw error;
      const what = row === undefined ? node.target : `${node.target}: ${error.message}`;
      this.#problems.set(what, [...(this.#problems.get(what) ?? []), whereOf(node)]);
      for (const name of names) this.#failed.add(name);
    }
  }

  /** What a row makes has the lengths that PyTorch found. */
  #expectSaid(name: string, slot: Slot, e: Emitter): void {
    const [made, said] = ["dtype" in slot ? slot.shape : undefined, this.meta(name)?.shape];
    if (!made || !said) return;
    const differs = (length: Dim, i: number) =>
      typeof length === "number" && typeof said[i] === "number" && length !== said[i];
    if (made.length !== said.length || made.some(differs)) {
      throw e.fail(`expected [${said.join(", ")}] as ${name}, as the program says, got [${made.join(", ")}]`);
    }
  }

  #made(row: Row, node: ProgramNode, e: Emitter): readonly (Slot | undefined)[] {
    const made = row(new Call(e, node, this));
    return made === undefined ? [] : Array.isArray(made) ? (made as readonly (Term | undefined)[]) : [made as Slot];
  }

  /** Follows what shares memory. A name that was written into means the result from then on, and so does all that shares its memory. */
  #share(node: ProgramNode, names: readonly string[], e: Emitter): void {
    const first = [...node.inputs.values()][0];
    const source = first?.tag === "as_tensor" ? namesIn(first.value)[0] : undefined;
    if (source === undefined) return;
    const root = this.#roots.get(source) ?? source;
    if (views.test(node.target)) {
      for (const [output, name] of names.entries()) {
        this.#roots.set(name, root);
        this.#views.set(name, { node, of: source, output });
      }
    }
    if (!/^aten\.\w+_\./.test(node.target) || /^aten\.__/.test(node.target)) return;
    // A program of many views and many writes: those of real networks are looked at some thousand times.
    this.#looks += this.#views.size;
    if (this.#looks > limits.decodedUnits) throw e.fail("too many writes into views");
    const others = [root, ...[...this.#roots].filter(([, of]) => of === root).map(([name]) => name)];
    const other = others.find((one) => one !== source && !names.includes(one) && this.#isUsedLater(one));
    const made = this.#slots.get(names[0] ?? "");
    if (made) this.#slots.set(source, made);
    if (names[0]) {
      this.#roots.set(names[0], root);
      this.#views.set(names[0], { node: null, of: source, output: 0 });
    }
    if (other !== undefined) this.#spread(source, other, root, e);
  }

  /** What was written into a part is written into what it is a part of, and the other parts of that are taken from it again. */
  #spread(source: string, other: string, root: string, e: Emitter): void {
    const refusal = (name: string) =>
      e.fail(`it writes into ${source}, which shares memory with ${name}; program.run_decompositions({}) undoes that`);
    const fresh = new Set([source]);
    for (let part = source, via = this.#views.get(part); via; part = via.of, via = this.#views.get(part)) {
      const back = via.node && writtenBack(via.node, part, via.of, this.meta(via.of));
      const row = back && rowOf(back.target);
      if (via.node && !row) throw refusal(other);
      if (fresh.has(via.of)) throw e.broken(`${via.of} is a view of itself`);
      const [whole] = row ? this.#made(row, back!, e) : [this.#slots.get(part)];
      if (whole) this.#slots.set(via.of, whole);
      fresh.add(via.of);
    }
    const unclear = new Set<string>();
    for (const [name, { node, of, output }] of this.#views) {
      if (fresh.has(name) || this.#roots.get(name) !== root) continue;
      // Of what PyTorch may have copied, nobody knows whether it sees the write.
      if (node && copies.test(node.target)) unclear.add(name);
      else if (unclear.has(of)) unclear.add(name);
      if (unclear.has(name) && this.#isUsedLater(name)) throw refusal(name);
      const again = node ? this.#made(rowOf(node.target)!, node, e)[output] : this.#slots.get(of);
      if (again) this.#slots.set(name, again);
    }
  }

  #isUsedLater(name: string): boolean {
    return (this.#lastUse.get(name) ?? -1) > this.#at;
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
