/** `avocet plan`: what placement decides for a model, without data. Nothing is run. */

import { existsSync } from "node:fs";
import { inferTypes } from "../../facts/inner.ts";
import { dataFilesOf, readModelFile } from "../../formats/inner-node.ts";
import { normalise } from "../../passes/inner.ts";
import {
  builtinTarget,
  gridName,
  type Plan,
  parseGrids,
  parseTarget,
  place,
  planToJson,
  targetNames,
} from "../../quant/inner.ts";
import { readJson } from "../inputs.ts";
import type { Io } from "../io.ts";
import { openOutputFile } from "../output-file.ts";

export interface PlanOptions {
  readonly target: string;
  readonly weights?: string;
  readonly activations?: string;
  readonly float?: readonly string[];
  readonly output?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

export async function plan(path: string, options: PlanOptions, io: Io): Promise<void> {
  const output = options.output
    ? openOutputFile(options.output, { force: options.force, kind: "plan", inputs: [path, options.target] })
    : undefined;
  const model = readModelFile(path);
  output?.expectApart(dataFilesOf(model));
  const target =
    targetNames.includes(options.target) || !existsSync(options.target)
      ? builtinTarget(options.target)
      : parseTarget(readJson(options.target), options.target);
  await normalise(model);
  const placed = place(model, target, {
    shapes: inferTypes(model),
    ...parseGrids(options),
    keepFloat: options.float ?? [],
  });
  const json = planToJson(placed);
  output?.write(json);
  io.out(options.json ? `${JSON.stringify(JSON.parse(json))}\n` : text(placed));
}

function text(plan: Plan): string {
  return [
    ...plan.entries.map(
      ({ value, kind, grid, granularity, reason }) =>
        `${kind.padEnd(10)} ${gridName(grid).padEnd(7)} per ${granularity.kind.padEnd(8)} ${value}: ${reason}\n`,
    ),
    ...plan.left.map(({ value, reason }) => `float                            ${value}: ${reason}\n`),
  ].join("");
}
