/**
 * R2, R3 and R4 of SpinQuant: values are rotated head by head between their layer and the one that joins the heads; queries and keys, and
 * what the last layer of an MLP reads, are rotated when the model runs.
 */
import { isRefused, type Refused, refuse } from "../../base/inner.ts";
import type { LengthTable } from "../../facts/inner.ts";
import { addNode, type Graph, type Value } from "../../ir/inner.ts";
import type { EditableLayer } from "../../passes/inner.ts";
import { type Heads, moverBehind, sourceOf } from "../../passes/inner-transformer.ts";
import { Tensor } from "../../tensor/inner.ts";
import { hadamard, hadamardFactors, kronecker } from "./hadamard.ts";
import { inverse, type Orthogonal } from "./orthogonal.ts";
import type { Products } from "./products.ts";
import { rotateInputs, rotateOutputs } from "./rotate-layer.ts";
import { online } from "./rotate-stream.ts";

/** R2: both layers take it in; nothing is computed in addition. A cache of values holds rotated ones from here on. */
export async function rotateValues({ values, output }: Heads, matrix: Orthogonal, products: Products): Promise<void> {
  await rotateOutputs(values, matrix, products);
  await rotateInputs(output, matrix, products);
}

/** R3: q·M·(k·M)ᵀ = q·kᵀ, behind rotary positions and before the cache of keys. */
export function rotateScores(
  graph: Graph,
  { scores }: Heads,
  matrixOf: (size: number) => Orthogonal,
  lengths: LengthTable,
): true | Refused {
  const queries = scores?.input(0);
  const size = lengths.of(queries ?? null)?.at(-1);
  if (!scores || !queries || typeof size !== "number") return refuse("how its scores are computed is not known");
  const turned = moverBehind(scores.input(1), ["Unsqueeze", "Identity", "Expand"]);
  const keys = turned?.op === "Transpose" ? turned.input(0) : null;
  if (!turned || !keys || lengths.of(keys)?.at(-1) !== size)
    return refuse(`the keys of ${scores} are not turned by a Transpose`);
  const source = sourceOf(keys, turned, lengths, (length) => length === size);
  if (isRefused(source)) return source;
  const matrix = matrixOf(size);
  online(graph, source, matrix, [...source.uses()]);
  online(graph, queries, matrix, [{ node: scores, index: 0 }]);
  return true;
}

/**
 * R4: x ↦ x·(A ⊗ B) before the layer, as two small products with Hadamard matrices: n·(a + b) multiplications where a whole matrix would
 * take n².
 */
export async function rotateHidden(
  graph: Graph,
  layer: EditableLayer,
  lengths: LengthTable,
  products: Products,
): Promise<true | Refused> {
  const x = layer.node.input(0)!;
  const rank = lengths.of(x)?.length;
  const size = layer.axes.inputs;
  const pair = halves(size);
  if (!pair || rank === undefined) return refuse(`no Hadamard matrix of order ${size} is built`);
  const [a, b] = pair.map(normalized) as [Orthogonal, Orthogonal];
  const whole = { size, entries: kronecker(a.entries, b.entries) };
  const place = { place: { before: layer.node } };
  const name = `${x.name}_hadamard`;
  const shape = (...last: number[]) =>
    graph.addInitializer(
      `${name}.shape`,
      Tensor.int64([rank - 1 + last.length], [...Array(rank - 1).fill(0), ...last]),
    );
  const constant = ({ size, entries }: Orthogonal) =>
    graph.addInitializer(`${name}.weight`, Tensor.float32([size, size], Float32Array.from(entries)));
  const step = (op: string, inputs: readonly Value[]) =>
    addNode(graph, op, inputs, {}, { ...place, output: name }).output;
  const folded = step("Reshape", [x, shape(a.size, b.size)]);
  const right = step("MatMul", [folded, constant(b)]);
  const both = step("MatMul", [constant(inverse(a)), right]);
  graph.setInput(layer.node, 0, step("Reshape", [both, shape(size)]));
  await rotateInputs(layer, whole, products);
  return true;
}

/** Two orders of Hadamard matrices whose product this is, as near to each other as they come. */
function halves(size: number): [number, number] | undefined {
  let best: [number, number] | undefined;
  for (let a = 1; a * a <= size; a++) {
    if (size % a === 0 && hadamardFactors(a) && hadamardFactors(size / a)) best = [a, size / a];
  }
  return best;
}

function normalized(size: number): Orthogonal {
  return { size, entries: hadamard(size)!.map((entry) => entry / Math.sqrt(size)) };
}
