/** From the graphs of a TFLite file to one ONNX graph: operators in their order, each by its row, quantizers where tensors are quantized. */
import { AvocetError, isRefused } from "../../base/inner.ts";
import type { Dim } from "../../ir/inner.ts";
import { cast } from "../channels-last/elementwise.ts";
import type { Emitter } from "../channels-last/emitter.ts";
import type { Term } from "../channels-last/term.ts";
import { limits } from "../limits.ts";
import { Call, isUnsupported, type Surroundings } from "./call.ts";
import { Constants, nameOf } from "./constants.ts";
import { rowOf } from "./rows/table.ts";
import type { TfliteGraph, TfliteModel, TfliteOperator, TfliteTensor } from "./schema.ts";

/** A tensor that an operator without translation would have made: what reads it is not translated either. */
const absent = Symbol("absent");
/** A tensor that keeps its value from one run to the next. */
const state = Symbol("state");

type Known = Term | typeof absent | typeof state;

function expectTerm(e: Emitter, known: Known): Term {
  if (known === state) throw e.fail("expected an operator that keeps no state");
  if (known === absent) throw new Error("internal: an operator behind one without translation is not translated");
  return known;
}

export class Translation {
  readonly #file: string;
  readonly #model: TfliteModel;
  readonly #constants: Constants;
  /** What cannot be translated, with the names of the operators. */
  readonly #faults = new Map<string, string[]>();
  #depth = 0;
  #operators = 0;

  constructor(model: TfliteModel, file: string) {
    this.#model = model;
    this.#file = file;
    this.#constants = new Constants(file);
  }

  /** Translates the main graph. Throws one `import/unsupported-operator` for all operators that have no translation. */
  main(e: Emitter): void {
    const graph = this.#model.graphs[0]!;
    const inputs = graph.inputs.map((index) => this.#input(e, tensorOf(graph, index, e)));
    const outputs = this.#run(graph, e, inputs);
    if (this.#faults.size > 0) throw this.#unsupported();
    for (const [i, term] of outputs.entries()) {
      if (term === absent) throw e.broken(`expected output ${i} of the model to be computed`);
      e.output(nameOf(tensorOf(graph, graph.outputs[i]!, e)) || `output_${i}`, expectTerm(e, term));
    }
  }

  /** Quantized inputs are floats with a quantizer behind them. */
  #input(e: Emitter, tensor: TfliteTensor): Term {
    const dtype = tensor.quantized ? "float32" : tensor.dtype;
    if (!dtype || dtype === "string") {
      throw new AvocetError(
        "import/unsupported-type",
        `expected an input of numbers, got element type ${dtype ?? tensor.type}`,
        {
          at: `${this.#file}: ${tensor.name}`,
        },
      );
    }
    const name = nameOf(tensor) || "input";
    const shape = tensor.shape.map(
      (length, axis): Dim => (length >= 0 ? length : axis === 0 ? "batch" : `${name}_${axis}`),
    );
    const term = e.input(name, dtype, shape);
    return e.named(name, () => this.#constants.roundTrip(e, term, tensor));
  }

  #run(graph: TfliteGraph, e: Emitter, inputs: readonly Known[]): Known[] {
    const terms = new Map<number, Known>();
    for (const [i, index] of graph.inputs.entries()) terms.set(index, inputs[i] ?? absent);
    const around: Surroundings = {
      e,
      constants: this.#constants,
      graph,
      term: (index) => expectTerm(e, this.#term(graph, e, terms, index)),
      inline: (other, body, given) => this.#inline(other, body, given),
      other: (other) => this.#graph(other, e),
    };
    for (const [number, op] of graph.operators.entries()) {
      if (++this.#operators > limits.graphParts)
        throw e.broken(`expected at most ${limits.graphParts} operators, bodies included`);
      const isBehindAbsent = op.inputs.some((index) => index >= 0 && this.#term(graph, e, terms, index) === absent);
      const made = this.#operator(op, number, around, isBehindAbsent);
      for (const [i, index] of op.outputs.entries()) if (index >= 0) terms.set(index, made[i] ?? absent);
    }
    return graph.outputs.map((index) => this.#term(graph, e, terms, index));
  }

  /** The outputs of one operator, quantized as the file says; none where it has no translation, which is noted. */
  #operator(op: TfliteOperator, number: number, around: Surroundings, isBehindAbsent: boolean): readonly Term[] {
    const { e, graph } = around;
    const first = graph.tensors[op.outputs[0] ?? -1];
    const name = (first && nameOf(first)) || `${op.op}_${number}`;
    const row = rowOf(op.op);
    if (isRefused(row)) {
      this.#note(`${op.op}: ${row.refused}`, name);
      return [];
    }
    if (isBehindAbsent) return [];
    return e.operator(name, () => {
      try {
        const made = row(new Call(op, around));
        const terms = "dtype" in made ? [made] : made;
        return terms.map((term, i) => this.#output(e, term, graph.tensors[op.outputs[i] ?? -1]));
      } catch (error) {
        if (!isUnsupported(error) || this.#depth > 0) throw error;
        this.#note(`${op.op}: ${error.message}`, name);
        return [];
      }
    });
  }

  #output(e: Emitter, term: Term, tensor: TfliteTensor | undefined): Term {
    if (!tensor) return term;
    if (tensor.quantized) return this.#constants.roundTrip(e, cast(e, term, "float32"), tensor);
    return tensor.dtype && tensor.dtype !== term.dtype ? cast(e, term, tensor.dtype) : term;
  }

  #term(graph: TfliteGraph, e: Emitter, terms: Map<number, Known>, index: number): Known {
    const known = terms.get(index);
    if (known !== undefined) return known;
    const tensor = tensorOf(graph, index, e);
    // Variables hold states; those who read them know that they begin at zero.
    if (!tensor.bytes && tensor.variable) return state;
    if (!tensor.bytes) throw e.broken(`expected ${tensor.name || `tensor ${index}`} to be computed before it is read`);
    const made = this.#constants.term(e, tensor);
    terms.set(index, made);
    return made;
  }

  #inline(number: number, e: Emitter, inputs: readonly Term[]): readonly Term[] {
    const graph = this.#graph(number, e);
    if (graph.inputs.length !== inputs.length)
      throw e.broken(`expected ${graph.inputs.length} inputs of graph ${number}, got ${inputs.length}`);
    if (this.#depth >= limits.functionDepth)
      throw e.broken(`expected graphs nested at most ${limits.functionDepth} deep`);
    this.#depth++;
    try {
      return this.#run(graph, e, inputs).map((term) => {
        if (term === absent) throw e.fail(`expected graph ${number} without operators that cannot be translated`);
        return expectTerm(e, term);
      });
    } finally {
      this.#depth--;
    }
  }

  #graph(number: number, e: Emitter): TfliteGraph {
    const graph = this.#model.graphs[number];
    if (graph) return graph;
    throw e.broken(`expected one of ${this.#model.graphs.length} graphs, got ${number}`);
  }

  #note(problem: string, name: string): void {
    const names = this.#faults.get(problem) ?? [];
    this.#faults.set(problem, [...names, name]);
  }

  #unsupported(): AvocetError {
    const lines = [...this.#faults].slice(0, limits.faultsShown).map(([problem, names]) => {
      const shown = names.slice(0, 3).join(", ");
      const line = `${problem} (${names.length > 3 ? `${shown} and ${names.length - 3} more` : shown})`;
      return `  ${line.slice(0, limits.faultLength)}`;
    });
    const more = this.#faults.size - lines.length;
    if (more > 0) lines.push(`  and ${more} more`);
    return new AvocetError(
      "import/unsupported-operator",
      `expected operators that can be translated, got\n${lines.join("\n")}`,
      {
        at: this.#file,
      },
    );
  }
}

function tensorOf(graph: TfliteGraph, index: number, e: Emitter): TfliteTensor {
  const tensor = graph.tensors[index];
  if (tensor) return tensor;
  throw e.broken(`expected one of ${graph.tensors.length} tensors, got ${index}`);
}
