/** A TensorFlow graph with what is asked of it → Model. */
import { AvocetError } from "../../base/inner.ts";
import { check, type Dim, Graph, Model, removeDead } from "../../ir/inner.ts";
import { checkNodes } from "../../ops/inner.ts";
import type { DType, Tensor } from "../../tensor/inner.ts";
import { Emitter, importedOpset, nameConstant } from "../channels-last/emitter.ts";
import type { Term } from "../channels-last/term.ts";
import { noteConversion } from "../conversion.ts";
import type { SourceChoices } from "../source-format.ts";
import type { Reference, SourceGraph, SourceNode } from "./graph.ts";
import { isTerm, type Slot, type Variable } from "./slots.ts";
import { Translation } from "./translate.ts";
import { writtenVariables } from "./variables.ts";

export interface SourceInput {
  /** What the model's input is called. */
  readonly name: string;
  /** The Placeholder. */
  readonly node: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[] | undefined;
}

export interface SourceOutput {
  readonly name: string;
  readonly from: Reference;
}

export interface Source {
  readonly file: string;
  readonly graph: SourceGraph;
  readonly inputs: readonly SourceInput[];
  readonly outputs: readonly SourceOutput[];
  /** Data of constants that the graph does not hold itself. */
  readonly constants?: ReadonlyMap<string, Tensor>;
  /** What was saved of a variable; throws where nothing was. */
  readonly variable?: (node: SourceNode) => Tensor;
}

/** Throws `import/unsupported-operator` with all that has no form in ONNX here, `import/malformed` for a graph that does not fit together. */
export function importGraph(source: Source, choices: SourceChoices = {}): Model {
  const { file, graph: from } = source;
  const graph = new Graph("tensorflow");
  const e = new Emitter(graph, file);
  const inputs = new Map<string, Term>();
  for (const input of source.inputs) {
    if (!input.shape)
      throw new AvocetError("import/unsupported-operator", `expected an input of known rank, got ${input.name}`, {
        at: file,
        hint: "export the model with a shape for each input",
      });
    inputs.set(input.node, e.input(input.name, input.dtype, namedLengths(input), choices));
  }
  const states = statesOf(source, e);
  const variables = new Map<string, Variable>(states.map((state) => [state.node, state.variable]));
  const constants = new Map<string, Term>();
  const translation = new Translation(from, file, {
    constant: ({ name }) => {
      const data = source.constants?.get(name);
      if (!data) return undefined;
      const term = constants.get(name) ?? e.constant(nameConstant(data, name));
      constants.set(name, term);
      return term;
    },
    placeholder: (node) => {
      const term = inputs.get(node.name);
      if (term) return term;
      throw e.fail("expected an input of the signature, got another placeholder");
    },
    variable: (node) => {
      const known = variables.get(node.name) ?? variableOf(source, node);
      variables.set(node.name, known);
      return known;
    },
  });
  const slots = translation.run(
    source.outputs.map((output) => output.from),
    e,
  );
  translation.finish();
  source.outputs.forEach(({ name }, i) => {
    e.output(name, tensorOf(slots[i]!, name, file));
  });
  for (const { variable } of states) e.output(`${variable.name}_next`, variable.now!);
  removeDead(graph);
  const model = new Model(graph, [["", importedOpset]]);
  model.source = file;
  model.producerName = "TensorFlow";
  noteConversion(model, e.tally);
  check(model);
  checkNodes(model);
  return model;
}

function tensorOf(slot: Slot, name: string, file: string): Term {
  if (isTerm(slot)) return slot;
  throw new AvocetError("import/unsupported-operator", `expected a tensor as output ${name}, got ${slot.kind}`, {
    at: file,
  });
}

/** The batch by its name; other unknown lengths each by their own. */
function namedLengths({ name, shape }: SourceInput): Dim[] {
  return shape!.map((dim, axis) => dim ?? (axis === 0 ? "batch" : `${name}_${axis}`));
}

const variableName = (node: SourceNode): string => node.attributes.string("shared_name") || node.name;

function variableOf(source: Source, node: SourceNode): Variable {
  const name = variableName(node);
  return {
    kind: "variable",
    name,
    dtype: node.attributes.type("dtype", "float32"),
    shape: node.attributes.shape("shape"),
    initial: () => {
      if (source.variable) return source.variable(node);
      throw new AvocetError("import/not-found", `expected the values of the variable ${name}, the file has none`, {
        at: source.file,
        hint: "freeze the graph, or export a SavedModel",
      });
    },
  };
}

interface State {
  readonly node: string;
  readonly variable: Variable;
}

/** Variables that the model writes are inputs of the model, and what was written last its outputs. */
function statesOf(source: Source, e: Emitter): State[] {
  const written = writtenVariables(
    source.graph,
    source.outputs.map((output) => output.from.node),
  );
  const nodes = [...written].map((name) => source.graph.nodes.get(name)!);
  nodes.sort((a, b) => (variableName(a) < variableName(b) ? -1 : 1));
  return nodes.map((node) => {
    const variable = variableOf(source, node);
    const lengths = variable.shape;
    if (!lengths) throw e.fail(`expected a state of known rank, got ${variable.name}`);
    const now = e.input(
      variable.name,
      variable.dtype,
      lengths.map((dim, axis) => dim ?? `${variable.name}_${axis}`),
    );
    return { node: node.name, variable: { ...variable, now } };
  });
}
