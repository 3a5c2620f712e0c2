/**
 * Block-wise reconstruction (BRECQ: Li et al., 2021; QDrop: Wei et al., 2022; AdaRound's activation form: Nagel et al., 2020):
 * block by block, rounding, biases and ranges are learned so that the quantized block returns what the float block returns, from
 * inputs that carry the error of the blocks before.
 */
import { checkpointUnder, throwIfAborted } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { calibrate, isIntGrid, type Plan } from "../../quant/inner.ts";
import { applyAdaRound } from "../adaround/apply.ts";
import type { MethodContext, MethodResult } from "../method.ts";
import type { Block } from "./blocks.ts";
import { type ReconstructionOptions, type Settings, settingsOf } from "./options.ts";
import type { BlockResult } from "./reconstruct-block.ts";
import { Reconstruction, type Start } from "./reconstruction.ts";

const step = "reconstruction";

/**
 * The plan needs encodings. `reference` is the float model when weights of `model` are rounded already (the same layers in
 * the same order; default: `model`). Weights come back on their grid, encodings frozen where they were decided. Blocks that the
 * context's checkpoint has are not trained again.
 */
export async function applyReconstruction(
  model: Model,
  plan: Plan,
  context: MethodContext,
  options: ReconstructionOptions & { readonly reference?: Model } = {},
): Promise<MethodResult> {
  const begin = performance.now();
  const { reference = model, ...chosen } = options;
  const settings = settingsOf(chosen);
  const start = await startOf(model, plan, context, settings);
  const run = await Reconstruction.open(reference, start, context, settings);
  await using _cursor = run.cursor;
  const notes: string[] = [...start.notes];
  let kept = 0;
  for (const [index, block] of run.blocks.entries()) {
    throwIfAborted(context);
    const result = await run.solve(block, `block-${index}`, (done) =>
      context.onProgress?.({
        step,
        done: index * settings.iterations + done,
        total: run.blocks.length * settings.iterations,
        detail: block.outputs.at(-1)!,
      }),
    );
    notes.push(`${block.outputs.at(-1)}: ${noteOf(block, result)}`);
    if (result?.kept) kept++;
  }
  return {
    ...run.settled(),
    report: { step, edits: kept, seconds: (performance.now() - begin) / 1000, notes },
  };
}

/** Rounds what nobody has rounded, and observes ranges behind the rounded weights. */
async function startOf(model: Model, plan: Plan, context: MethodContext, settings: Settings): Promise<Start> {
  const open = plan.entries.filter((entry) => entry.kind === "weight" && isIntGrid(entry.grid) && !entry.frozen);
  if (settings.start === "nearest" || open.length === 0) return { model, plan, notes: [] };
  const checkpoint = context.checkpoint && checkpointUnder(context.checkpoint, "start");
  const rounded = await applyAdaRound(model, plan, { ...context, checkpoint });
  const { runtime, data, calibration, batch, threads, signal, onProgress } = context;
  const calibrated = await calibrate(rounded.model, rounded.plan, runtime, data, {
    scheme: calibration,
    ...(batch ? { batch } : {}),
    ...(threads ? { session: { threads } } : {}),
    signal,
    onProgress,
  });
  const { edits, seconds } = rounded.report;
  return {
    model: rounded.model,
    plan: calibrated.plan,
    notes: [`starts at AdaRound on moments: ${edits} layers in ${seconds.toFixed(1)} s`],
  };
}

function noteOf(block: Block, result: BlockResult | null): string {
  const layers = `${block.layers.length} layer${block.layers.length === 1 ? "" : "s"}`;
  if (!result) return `${layers}: nothing to learn`;
  const { before, after, kept } = result;
  const change = `error on samples set aside ${before.toExponential(2)} → ${after.toExponential(2)}`;
  return `${layers}: ${change}, ${kept ? "kept" : "undone"}`;
}
