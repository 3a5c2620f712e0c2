/** `avocet inspect`: what is in a model, what can be quantized and what not, and why. Never executes it. */
import { basename } from "node:path";
import {
  type LayerCost,
  layerCosts,
  macsOf,
  type PeakMemory,
  parametersOf,
  peakActivations,
  weightChanges,
  weightRanges,
} from "../../analysis/inner.ts";
import { AvocetError } from "../../base/inner.ts";
import { graphsOf, inferTypes, LengthTable } from "../../facts/inner.ts";
import { dataFilesOf, mainFileOf, openModel, openWeights } from "../../formats/inner-node.ts";
import { cloneModel, type Model, staticShape, type ValueType } from "../../ir/inner.ts";
import { rowOf } from "../../ops/inner.ts";
import {
  contradictions,
  hoistConstants,
  inlineFunctions,
  normalise,
  randomNodes,
  runPass,
  trainingNodes,
} from "../../passes/inner.ts";
import { describeTransformer, type Transformer, transformersOf } from "../../passes/inner-transformer.ts";
import { builtinTarget, layersInBodies, type NotQuantized, place } from "../../quant/inner-place.ts";
import type { Io } from "../io.ts";
import { modelBytes } from "../model-size.ts";
import { openOutputFile } from "../output-file.ts";

export interface InspectOptions {
  readonly target: string;
  /** What each linear layer costs, in the text too. */
  readonly layers?: boolean;
  /** The page of the weights is written to `output`. */
  readonly weights?: boolean;
  /** A model whose weights stand next to them: what they were before something was done to them. */
  readonly before?: string;
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

interface Quantizable {
  readonly weights: number;
  readonly activations: number;
  readonly notQuantized: readonly NotQuantized[];
  /** Layers inside bodies, by the operator that has them: only the main graph is quantized. */
  readonly inBodies: Readonly<Record<string, number>>;
  /** Why nothing can be quantized, where that is so. */
  readonly refused?: string;
}

export async function inspect(given: string, options: InspectOptions, io: Io): Promise<void> {
  const path = mainFileOf(given);
  if (options.weights && options.output === undefined) {
    throw new AvocetError("usage/missing", "expected -o FILE next to --weights, got none", { at: "avocet inspect" });
  }
  if (options.before !== undefined && !options.weights) {
    throw new AvocetError("usage/missing", "expected --weights next to --before, got none", { at: "avocet inspect" });
  }
  const found = options.weights ? undefined : await openWeights(path);
  if (found) {
    const tensors = [...found.tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
    const lines = tensors.map(({ name, dtype, shape }) => `${name}: ${dtype}[${shape.join(", ")}]\n`).join("");
    const hint = "avocet weights MODEL --from FILE puts them into a model.";
    io.out(
      options.json ? `${JSON.stringify({ file: path, tensors })}\n` : `${tensors.length} tensors\n${lines}${hint}\n`,
    );
    return;
  }
  const before = options.before === undefined ? undefined : mainFileOf(options.before);
  const page = options.weights
    ? openOutputFile(options.output!, {
        force: options.force,
        kind: "page",
        inputs: [path, ...(before === undefined ? [] : [before])],
      })
    : undefined;
  const model = await openModel(path);
  page?.expectApart(dataFilesOf(model));
  const dataFiles = dataFilesOf(model);
  const { operators, unknown } = operatorsOf(model);
  // Calls of functions cost what their bodies cost.
  const flat = cloneModel(model);
  if (flat.functions.length > 0) await runPass(flat, inlineFunctions);
  await runPass(flat, hoistConstants);
  const shapes = inferTypes(flat);
  const after = page && (await folded(flat));
  const weights = after && weightRanges(after);
  const changes =
    after && before !== undefined ? weightChanges(await folded(await openModel(before)), after) : undefined;
  if (page) {
    // Loaded where it is needed: looking at a model must stay quick.
    const { renderWeights } = await import("../../report/inner.ts");
    const from = changes && { from: basename(before!), layers: changes };
    page.write(renderWeights(basename(path), weights!, from));
  }
  const result = {
    file: path,
    ...(weights ? { page: options.output, weights } : {}),
    ...(changes ? { weightChanges: changes } : {}),
    inputs: model.graph.inputs.filter((v) => !v.initializer).map((v) => ({ name: v.name, ...portOf(v.type) })),
    outputs: model.graph.outputs.map((v) => ({ name: v.name, ...portOf(v.type) })),
    opset: model.opset,
    operators,
    unknownOperators: unknown,
    training: trainingNodes(flat).map((node) => `${node}`),
    random: randomNodes(flat).map((node) => `${node}`),
    functions: model.functions.map((f) => (f.domain ? `${f.domain}.${f.name}` : f.name)),
    parameters: parametersOf(flat),
    macs: macsOf(flat, shapes),
    peakActivations: peakActivations(flat, shapes),
    bytes: modelBytes(path, model),
    layers: layerCosts(flat, shapes),
    dataFiles,
    contradictions: contradictions(flat).map(({ output, declared, found }) => ({
      output,
      declared: declared.shape,
      found: found.shape,
    })),
    transformers: transformersOf(flat.graph, new LengthTable(flat)),
    quantizable: await quantizable(flat, options.target),
  };
  io.out(options.json ? `${JSON.stringify(result)}\n` : text(result));
  if (options.layers && !options.json) io.out(layerTable(result.layers));
  if (page && !options.json) io.out(`${options.output} is written.\n`);
}

/** Nodes by operator, bodies and functions included; the operators that have no row are opaque to Avocet. */
function operatorsOf(model: Model): { operators: Record<string, number>; unknown: string[] } {
  const operators: Record<string, number> = {};
  const unknown = new Set<string>();
  const made = new Set(model.functions.map((f) => `${f.domain}.${f.name}`));
  for (const graph of graphsOf(model)) {
    for (const node of graph.nodes) {
      operators[node.opName] = (operators[node.opName] ?? 0) + 1;
      if (!rowOf(node) && !made.has(`${node.domain}.${node.op}`)) unknown.add(node.opName);
    }
  }
  return { operators, unknown: [...unknown] };
}

function portOf(type: ValueType | undefined): {
  dtype: string | null;
  shape: readonly (number | string | null)[] | null;
} {
  return type?.kind === "tensor"
    ? { dtype: type.dtype, shape: staticShape(type) ?? type.shape }
    : { dtype: null, shape: null };
}

/** What a plan would hold. The passes that `quantize` runs come first, those that need a runtime left out. */
async function quantizable(model: Model, target: string): Promise<Quantizable> {
  const inBodies = layersInBodies(model);
  try {
    const normal = cloneModel(model);
    await normalise(normal);
    const plan = place(normal, builtinTarget(target), { shapes: inferTypes(normal) });
    const count = (kind: string) => plan.entries.filter((entry) => entry.kind === kind).length;
    return { weights: count("weight"), activations: count("activation"), notQuantized: plan.notQuantized, inBodies };
  } catch (error) {
    if (!AvocetError.is(error) || !/^(quant|import)\//.test(error.code)) throw error;
    return { weights: 0, activations: 0, notQuantized: [], inBodies, refused: error.message };
  }
}

const unknownShapes = "unknown: not all shapes follow from the file";

function text(r: {
  readonly file: string;
  readonly inputs: readonly { name: string; dtype: string | null; shape: readonly (number | string | null)[] | null }[];
  readonly outputs: readonly {
    name: string;
    dtype: string | null;
    shape: readonly (number | string | null)[] | null;
  }[];
  readonly opset: number;
  readonly operators: Readonly<Record<string, number>>;
  readonly unknownOperators: readonly string[];
  readonly training: readonly string[];
  readonly random: readonly string[];
  readonly parameters: number;
  readonly macs: number | null;
  readonly peakActivations: PeakMemory | null;
  readonly bytes: number;
  readonly contradictions: readonly { output: string; declared: unknown; found: unknown }[];
  readonly transformers: readonly Transformer[];
  readonly quantizable: Quantizable;
}): string {
  const port = (p: { name: string; dtype: string | null; shape: readonly (number | string | null)[] | null }) =>
    `${p.name}: ${p.dtype ?? "?"}${p.shape ? `[${p.shape.map((d) => d ?? "?").join(", ")}]` : ""}`;
  const q = r.quantizable;
  const reasons = new Map<string, number>();
  for (const { reason } of q.notQuantized) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const counts = Object.entries(r.operators).sort((a, b) => b[1] - a[1]);
  const lines = [
    `${r.file}  opset ${r.opset}, ${r.bytes} bytes`,
    `inputs      ${r.inputs.map(port).join("; ")}`,
    `outputs     ${r.outputs.map(port).join("; ")}`,
    `operators   ${counts.map(([op, n]) => `${op} ${n}`).join(", ")}`,
    ...(r.unknownOperators.length > 0 ? [`unknown     ${r.unknownOperators.join(", ")}`] : []),
    ...r.contradictions.map(
      ({ output, declared, found }) =>
        `contradicts ${output} is declared ${JSON.stringify(declared)}, the graph makes ${JSON.stringify(found)}`,
    ),
    ...(r.training.length > 0 ? [`training    ${r.training.join(", ")}: in training form, taken as in inference`] : []),
    ...(r.random.length > 0 ? [`random      ${r.random.join(", ")}: no two runs give the same numbers`] : []),
    `parameters  ${r.parameters}`,
    `MACs        ${r.macs ?? unknownShapes}`,
    `activations ${r.peakActivations ? `${r.peakActivations.bytes} bytes at most, at ${r.peakActivations.at}` : unknownShapes}`,
    ...r.transformers.map((found) => `transformer ${describeTransformer(found)}`),
    q.refused ? `quantizable nothing: ${q.refused}` : `quantizable ${q.weights} weights, ${q.activations} activations`,
    ...[...reasons].map(([reason, n]) => `  float: ${n} × ${reason}`),
    ...Object.entries(q.inBodies).map(([op, n]) => `  float: ${n} × it sits in a body of ${op}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** With batch norms in the layers, as they would be quantized; as it is where that is refused. Nothing is executed. */
async function folded(model: Model): Promise<Model> {
  const copy = cloneModel(model);
  try {
    await normalise(copy);
    return copy;
  } catch (error) {
    if (!AvocetError.is(error) || !error.code.startsWith("import/")) throw error;
    return model;
  }
}

/** A line for each layer. */
function layerTable(layers: readonly LayerCost[]): string {
  const number = (value: number | null) => (value === null ? "?" : value.toLocaleString("en"));
  const rows = [
    ["layer", "operator", "weight", "MACs", "parameters", "bytes", "activation bytes"],
    ...layers.map(({ layer, op, shape, macs, parameters, bytes, activationBytes }) => [
      layer,
      op,
      shape.join("×"),
      ...[macs, parameters, bytes, activationBytes].map(number),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ");
  return `\n${rows.map((row) => line(row).trimEnd()).join("\n")}\n`;
}
