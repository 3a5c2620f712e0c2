/** Finds out whether a runtime has the blocked layout, by trying it. */
import { Emitter } from "../../autodiff/inner.ts";
import { debug } from "../../base/inner.ts";
import { Graph, Model, tensorType } from "../../ir/inner.ts";
import type { Runtime } from "../../runtime/inner.ts";
import { Tensor } from "../../tensor/inner.ts";
import { blockedOp, blockedWeight, nchwc } from "./blocks.ts";

const known = new WeakMap<Runtime, Promise<number>>();

/**
 * Channels in a block: 16 where ONNX Runtime computes with AVX-512, 8 with AVX2, 0 where there is no such layout (WebAssembly).
 * Tried once for each runtime.
 */
export function probeBlock(runtime: Runtime): Promise<number> {
  const found = known.get(runtime) ?? firstThatWorks(runtime);
  known.set(runtime, found);
  return found;
}

async function firstThatWorks(runtime: Runtime): Promise<number> {
  for (const block of [16, 8]) {
    try {
      if (await works(runtime, block)) return block;
    } catch (cause) {
      debug(1, () => `no blocks of ${block} channels: ${cause instanceof Error ? cause.message : cause}`);
    }
  }
  return 0;
}

/** A small Conv in blocks returns what the plain one returns; with another block length its weights would be read in disorder. */
async function works(runtime: Runtime, block: number): Promise<boolean> {
  const channels = 32;
  const graph = new Graph("probe");
  const x = graph.addInput("x", tensorType("float32", [1, channels, 3, 3]));
  const weights = Float32Array.from({ length: channels * channels }, (_, i) => ((i * 7) % 11) - 5);
  const w = graph.addInitializer("w", Tensor.float32([channels, channels, 1, 1], weights));
  const e = new Emitter(graph);
  const attributes = { kernel_shape: [1, 1] };
  const plain = e.op("Conv", [x, w], attributes);
  const input = blockedOp(e, "ReorderInput", [x]);
  const made = blockedOp(e, "Conv", [input, blockedWeight(e, w, [channels, channels, 1, 1], block)], attributes);
  const difference = e.op("Abs", [e.sub(plain, blockedOp(e, "ReorderOutput", [made], { channels }))]);
  graph.addOutput(e.op("ReduceMax", [difference], { keepdims: 0 }, { output: "difference" }));
  const model = new Model(graph, [
    ["", 21],
    [nchwc, 1],
  ]);
  await using session = await runtime.open(model, { optimization: "off" });
  const image = Float32Array.from({ length: channels * 9 }, (_, i) => (i % 13) - 6);
  const results = await session.run({ x: Tensor.float32([1, channels, 3, 3], image) });
  // Sums of small whole numbers are exact.
  return Object.values(results)[0]!.floats()[0] === 0;
}
