/** Frees the batch of models that were exported for one sample, when it is certain that samples stay apart. */
import { defaultOf, varyingValues } from "../../facts/inner.ts";
import { cloneModel, type Model, type Node, type TensorType, tensorType, type Value } from "../../ir/inner.ts";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import { keepsSamplesApart } from "../batch-rules.ts";
import { takeSamples } from "../feeds.ts";
import type { Runtime } from "../runtime.ts";

/** A model whose batch is free, or the reason why it stays as it is. */
export type FreedBatch = { readonly model: Model } | { readonly because: string };

/**
 * A copy of the model in which the first axis of every input is dynamic and Reshape constants follow it. `types` is a
 * trace with one sample (`traceShapes`). Refuses with a reason unless every operator on the way from an input is known
 * to treat samples apart; then run sample by sample.
 */
export function withDynamicBatch(model: Model, types: ReadonlyMap<string, TensorType>): FreedBatch {
  const copy = cloneModel(model);
  const { graph } = copy;
  for (const input of graph.inputs) {
    if (input.initializer) continue;
    const first = types.get(input.name)?.shape?.[0];
    if (first !== 1) return { because: `the input ${input.name} has no first axis of length 1` };
  }
  const batched = varyingValues(graph);
  const facts = { types, batched };
  for (const node of graph.nodes) {
    if (!node.outputs.some((value) => batched.has(value))) continue;
    if (!keepsSamplesApart(node, facts)) return { because: `${node} may mix samples, or moves them to another axis` };
    const because = patchShape(copy, node, types);
    if (because) return { because };
  }
  for (const value of batched) value.type = freed(value, types);
  return { model: copy };
}

/**
 * Whether two samples in one run give what each gives alone: a test by execution, for models without a proof. `feeds`
 * hold two different samples. Tolerance 1e-4 of the largest output: kernels add in another order for another batch.
 */
export async function batchable(model: Model, runtime: Runtime, feeds: Feeds): Promise<boolean> {
  await using session = await runtime.open(model);
  const together = await session.run(feeds);
  for (const sample of [0, 1]) {
    const one = Object.fromEntries(
      Object.entries(feeds).map(([name, tensor]) => [name, takeSamples(tensor, sample, 1)]),
    );
    for (const [name, alone] of Object.entries(await session.run(one))) {
      const both = together[name]!;
      if (both.shape[0] !== 2 || !isClose(takeSamples(both, sample, 1), alone)) return false;
    }
  }
  return true;
}

function isClose(a: Tensor, b: Tensor): boolean {
  if (a.dtype === "string") return a.size === b.size && (a.data as readonly string[]).every((v, i) => v === b.data[i]);
  const [left, right] = [a.numbers(), b.numbers()];
  const most = right.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  return left.length === right.length && left.every((v, i) => Math.abs(v - right[i]!) <= 1e-4 * most);
}

/** Constants that spell the batch of one: a Reshape copies the first length instead, a Resize leaves the axis out. */
function patchShape(model: Model, node: Node, types: ReadonlyMap<string, TensorType>): string | undefined {
  const { graph } = model;
  const put = (index: number, hint: string, numbers: readonly number[]) => {
    graph.setInput(node, index, graph.addInitializer(hint, Tensor.int64([numbers.length], numbers)));
  };
  if (node.op === "Reshape") {
    const shape = defaultOf(node.input(1))!.numbers();
    if (shape[0] !== 1) return undefined;
    if (node.int("allowzero", 0) !== 0) return `${node} spells the batch and takes zeros literally`;
    put(1, `${node.output.name}:shape`, [0, ...shape.slice(1)]);
  }
  const sizes = node.op === "Resize" ? defaultOf(node.input(3))?.numbers() : undefined;
  if (sizes && sizes.length > 0) {
    if (model.opset < 18) return `${node} spells the batch in its sizes (opset 18 could leave that axis out)`;
    const rank = types.get(node.output.name)!.shape!.length;
    const axes = Array.from({ length: rank - 1 }, (_, i) => i + 1);
    node.attributes.set("axes", { type: "ints", value: axes });
    put(3, `${node.output.name}:sizes`, sizes.slice(1));
  }
  return undefined;
}

function freed(value: Value, types: ReadonlyMap<string, TensorType>): TensorType | undefined {
  const known = types.get(value.name);
  return known?.shape ? tensorType(known.dtype, ["N", ...known.shape.slice(1)]) : undefined;
}
