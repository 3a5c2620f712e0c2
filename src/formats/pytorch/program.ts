/** The program of a .pt2 archive: JSON → nodes, signature and types of all values. */
import { AvocetError, parseJson } from "../../base/inner.ts";
import type { Dim } from "../../ir/inner.ts";
import type { DType } from "../../tensor/inner.ts";
import { limits } from "../limits.ts";
import { dtypeOf } from "./dtypes.ts";
import { inlined } from "./inline.ts";

/** An argument as the file spells it: one tag ("as_tensor") and what is behind it. */
export interface Argument {
  readonly tag: string;
  readonly value: unknown;
}

export interface ProgramNode {
  /** "aten.add.Tensor", without "torch.ops.". */
  readonly target: string;
  readonly name: string;
  readonly inputs: ReadonlyMap<string, Argument>;
  readonly outputs: readonly Argument[];
  /** The module that the node came from, innermost, for messages. */
  readonly module: string;
}

export interface ValueMeta {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

export type InputSpec =
  | { readonly kind: "user"; readonly arg: Argument }
  | { readonly kind: "weight"; readonly name: string; readonly weight: string };

export type OutputSpec = { readonly kind: string; readonly arg: Argument; readonly target?: string };

export interface Program {
  readonly nodes: readonly ProgramNode[];
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly OutputSpec[];
  meta(name: string): ValueMeta | undefined;
  /** The version of PyTorch that wrote it, as far as the file says. */
  readonly torch: string;
}

type Json = Readonly<Record<string, unknown>>;

/** Checks what the reading and the table of operators rely on. Throws `import/malformed`, `import/too-large`, `import/unsupported-type`. */
export function readProgram(bytes: Uint8Array, file: string): Program {
  const broken = (problem: string) => new AvocetError("import/malformed", problem, { at: file });
  const object = (value: unknown, what: string): Json => {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
    throw broken(`expected ${what}, got ${value === undefined ? "nothing" : typeof value}`);
  };
  const list = (value: unknown, what: string): readonly unknown[] => {
    if (Array.isArray(value)) return value;
    throw broken(`expected ${what}, got ${value === undefined ? "nothing" : typeof value}`);
  };
  const text = (value: unknown, what: string): string => {
    if (typeof value === "string") return value;
    throw broken(`expected ${what}, got ${value === undefined ? "nothing" : typeof value}`);
  };
  const argument = (value: unknown): Argument => {
    const [entry] = Object.entries(object(value, "an argument"));
    if (!entry) throw broken("expected an argument, got an empty one");
    return { tag: entry[0], value: entry[1] };
  };

  const json = object(parseJson(new TextDecoder().decode(bytes), { at: file, code: "import/malformed" }), "a program");
  const { major } = object(json.schema_version, "schema_version") as { major?: unknown };
  if (typeof major !== "number" || major < 5) {
    throw new AvocetError("import/unsupported-type", `expected a program of schema 5 or later, got ${major}`, {
      at: file,
      hint: "export it again with PyTorch 2.6 or later",
    });
  }
  const module = object(json.graph_module, "graph_module");
  const graph = object(module.graph, "a graph");
  const signature = object(module.signature, "a signature");
  const values: Record<string, unknown> = { ...object(graph.tensor_values, "tensor_values") };

  let parts = 0;
  const node = (given: unknown): ProgramNode => {
    const { target, inputs, outputs, metadata, name } = object(given, "a node");
    const args = list(inputs, "inputs of a node").map((one) => {
      const { name: argName, arg } = object(one, "an input of a node");
      return [text(argName, "the name of an input"), argument(arg)] as const;
    });
    const results = list(outputs, "outputs of a node").map(argument);
    parts += 1 + args.length + results.length;
    if (parts > limits.graphParts) {
      throw new AvocetError("import/too-large", `expected at most ${limits.graphParts} nodes, inputs and outputs`, {
        at: file,
      });
    }
    const stack = typeof metadata === "object" ? (metadata as Json | null)?.nn_module_stack : undefined;
    const path = typeof stack === "string" ? (stack.split(";").at(-1)?.split(",")[1] ?? "") : "";
    const first = results[0]?.value as { name?: unknown } | undefined;
    return {
      target: text(target, "the operator of a node").replace(/^torch\.ops\./, ""),
      name: typeof name === "string" ? name : typeof first?.name === "string" ? first.name : "",
      inputs: new Map(args),
      outputs: results,
      module: path.slice(0, 200),
    };
  };

  const inputs = list(signature.input_specs, "input_specs").flatMap((given): InputSpec[] => {
    const { tag, value } = argument(given);
    const spec = object(value, "an input");
    if (tag === "user_input") return [{ kind: "user", arg: argument(spec.arg) }];
    const weight = spec.parameter_name ?? spec.buffer_name ?? spec.tensor_constant_name;
    if (weight === undefined) return [];
    const { name } = object(spec.arg, "the value of a weight");
    return [{ kind: "weight", name: text(name, "the name of a value"), weight: text(weight, "the name of a weight") }];
  });
  const outputs = list(signature.output_specs, "output_specs").map((given): OutputSpec => {
    const { tag, value } = argument(given);
    const spec = object(value, "an output");
    const arg = object(spec.arg, "the value of an output");
    const target = spec.buffer_name ?? spec.user_input_name ?? spec.parameter_name;
    const wrapped = tag === "user_output" ? argument(arg) : { tag: "as_tensor", value: arg };
    return { kind: tag, arg: wrapped, ...(typeof target === "string" ? { target } : {}) };
  });

  const metas = new Map<string, ValueMeta>();
  return {
    nodes: inlined(list(graph.nodes, "nodes"), values).map(node),
    inputs,
    outputs,
    torch: typeof json.torch_version === "string" ? json.torch_version : "",
    meta(name) {
      const seen = metas.get(name);
      if (seen || !Object.hasOwn(values, name)) return seen;
      const made = readMeta(object(values[name], "the type of a value"), file);
      metas.set(name, made);
      return made;
    },
  };
}

/** Element type and lengths; symbolic lengths keep their expression as a name. */
export function readMeta(given: Json, file: string): ValueMeta {
  const sizes = given.sizes;
  if (!Array.isArray(sizes) || sizes.length > limits.rank) {
    throw new AvocetError("import/malformed", `expected at most ${limits.rank} lengths of a tensor`, { at: file });
  }
  return { dtype: dtypeOf(given.dtype, file), shape: sizes.map((size) => dimOf(size, file)) };
}

/** A length of the file: a number, or the text of a symbolic one. Throws `import/malformed`. */
export function dimOf(size: unknown, file: string): Dim {
  const { as_int: known, as_expr: symbolic } = (size ?? {}) as { as_int?: unknown; as_expr?: { expr_str?: unknown } };
  if (typeof known === "number" && Number.isSafeInteger(known) && known >= 0) return known;
  if (typeof symbolic?.expr_str === "string") return symbolic.expr_str.slice(0, limits.faultLength);
  throw new AvocetError("import/malformed", "expected a length as a number or an expression", { at: file });
}
