/** `avocet optimize`: fewer and faster operators, same outputs. */
import { dataFilesOf, openModel, writeModelFile } from "../../formats/inner-node.ts";
import { oldestOpset, optimise, type PassReport, randomNodes, runPass, unrollRecurrent } from "../../passes/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import type { Io } from "../io.ts";
import { type ModelSize, sizeOfModel } from "../model-size.ts";
import { type OutputOptions, openOutputFile } from "../output-file.ts";

export interface OptimizeOptions extends OutputOptions {
  readonly opset?: number;
  readonly keepBatchNorm?: boolean;
  readonly unroll?: number;
  readonly execute: boolean;
}

/** Split with a number of outputs, which unrolled layers are written in. */
const unrolledOpset = 18;

export async function optimize(path: string, options: OptimizeOptions, io: Io): Promise<void> {
  const output = openOutputFile(options.output, { force: options.force, kind: "model", inputs: [path] });
  const start = performance.now();
  const model = await openModel(path);
  output.expectApart(dataFilesOf(model));
  const before = sizeOfModel(model);
  const own = Math.max(model.opset, oldestOpset, options.unroll ? unrolledOpset : 0);
  const settings = {
    opset: options.opset ?? own,
    foldBatchNorm: !options.keepBatchNorm,
    cells: !options.unroll,
    ...(options.execute ? { runtime: await openRuntime() } : {}),
  };
  const passes = [...(await optimise(model, settings))];
  if (options.unroll) {
    const unrolled = await runPass(model, unrollRecurrent({ steps: options.unroll }));
    passes.push(unrolled);
    if (unrolled.edits > 0) passes.push(...(await optimise(model, settings)));
  }
  const after = sizeOfModel(model);
  const random = randomNodes(model).map((node) => `${node}`);
  const { byteLength } = writeModelFile(model, options.output, { replace: output.seen });
  const seconds = (performance.now() - start) / 1000;
  if (options.json) {
    const steps = passes.map(({ pass, edits, milliseconds }) => ({ pass, edits, seconds: milliseconds / 1000 }));
    const refusals = passes.flatMap((pass) => pass.refusals);
    const notes = passes.flatMap((pass) => pass.notes);
    io.out(
      `${JSON.stringify({ output: options.output, before, after, bytes: byteLength, passes: steps, refusals, notes, random, seconds })}\n`,
    );
  } else io.out(text({ before, after, passes, random, output: options.output }));
}

function text({
  before,
  after,
  passes,
  random,
  output,
}: {
  readonly before: ModelSize;
  readonly after: ModelSize;
  readonly passes: readonly PassReport[];
  readonly random: readonly string[];
  readonly output: string;
}): string {
  const changed = [...new Set([...Object.keys(before.operators), ...Object.keys(after.operators)])]
    .map((op) => ({ op, from: before.operators[op] ?? 0, to: after.operators[op] ?? 0 }))
    .filter(({ from, to }) => from !== to)
    .sort((a, b) => a.to - a.from - (b.to - b.from));
  const edits = passes.filter((pass) => pass.edits > 0).map(({ pass, edits }) => `${pass} ${edits}`);
  return [
    `nodes       ${before.nodes} → ${after.nodes}\n`,
    `parameters  ${before.parameters} → ${after.parameters}\n`,
    ...changed.map(({ op, from, to }) => `  ${op} ${from} → ${to}\n`),
    edits.length > 0 ? `edits       ${edits.join(", ")}\n` : "",
    ...passes.flatMap(({ notes }) => notes.map(({ node, reason }) => `  note ${node}: ${reason}\n`)),
    ...random.map((node) => `  note ${node}: its output is random: no two runs give the same numbers\n`),
    ...passes.flatMap(({ refusals }) => refusals.map(({ node, reason }) => `  left ${node}: ${reason}\n`)),
    `${output} is written.\n`,
  ].join("");
}
