/**
 * Makes a training graph fast without changing what it computes but for rounding: batch norms are written out so that forward
 * and backward share their statistics, what one kernel can do in one pass becomes one node, and, where the runtime has it,
 * convolutions and all between them move to the blocked layout. docs/training-speed.md has the measurements.
 */

import { deferredWeightGradient, Emitter, expandWeightGradient } from "../autodiff/inner.ts";
import { graphsOf } from "../facts/inner.ts";
import { cloneModel, type Model, type TensorType } from "../ir/inner.ts";
import { runPass, shareConstants, shareSubexpressions, takeOver } from "../passes/inner.ts";
import { type Runtime, traceShapes } from "../runtime/inner.ts";
import type { Feeds } from "../tensor/inner.ts";
import { blockLayout } from "./blocked-layout/index.ts";
import { expandBatchNorms } from "./expand-batch-norms.ts";
import { fuseConvolutions } from "./fuse-convolutions.ts";
import { Shapes } from "./shapes.ts";

/**
 * In place. The model may hold deferred weight gradients; afterwards it holds none. `forward` has the types of the forward
 * values, `feeds` one step's inputs, `block` what `probeBlock` found, 0 for standard operators.
 */
export async function speedUp(
  model: Model,
  forward: ReadonlyMap<string, TensorType>,
  feeds: Feeds,
  runtime: Runtime,
  block: number,
): Promise<void> {
  expandBatchNorms(model, forward);
  for (const pass of [shareConstants, shareSubexpressions]) await runPass(model, pass);
  const standard = cloneModel(model);
  expandWeightGradients(standard);
  const shapes = new Shapes(model.graph, await traceShapes(standard, runtime, feeds));
  fuseConvolutions(model, shapes);
  if (block > 0) blockLayout(model, shapes, block);
  expandWeightGradients(model);
  for (const pass of [shareConstants, shareSubexpressions]) await runPass(model, pass);
}

function expandWeightGradients(model: Model): void {
  for (const graph of graphsOf(model)) {
    const emitter = new Emitter(graph);
    for (const node of [...graph.nodes]) {
      const one = deferredWeightGradient(node);
      if (!one) continue;
      takeOver(node.output, expandWeightGradient(emitter.at({ before: node }), one));
      graph.remove(node);
    }
  }
}
