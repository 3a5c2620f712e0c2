/** `--metric ./my-metric.mjs`: a metric that the user wrote. Only commands load it, because it is code. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Metric, MetricOptions } from "../analysis/inner.ts";
import { AvocetError, expectArguments } from "../base/inner.ts";
import { disk, quietly } from "../base/inner-node.ts";

/** Makes a fresh metric for each model that is judged. */
export type MakeMetric = (options: MetricOptions) => Metric;

/**
 * The default export of a module: a function that makes a `Metric`. Throws `import/not-found`, and `usage/bad-value` where the module
 * does not load, exports something else, or makes something that is no metric.
 */
export async function readMetricModule(path: string): Promise<MakeMetric> {
  if (!quietly(() => disk.stat(path))?.isFile()) {
    throw new AvocetError("import/not-found", `expected a file, got ${path}`, { at: "--metric" });
  }
  const make = (await load(path)).default;
  if (typeof make !== "function") throw refused(path, `a function as the default export, got ${typeof make}`);
  const makeChecked: MakeMetric = (options) => {
    const metric = made(path, make, options);
    expectArguments(path, { "what the default export makes": [metric, "metric"] });
    return metric as Metric;
  };
  // A wrong shape is reported before anything long begins.
  makeChecked({});
  return makeChecked;
}

// biome-ignore lint/complexity/noBannedTypes: whatever the module exports
function made(path: string, make: Function, options: MetricOptions): unknown {
  try {
    return make(options);
  } catch (cause) {
    throw refused(path, `a metric, got ${(cause as Error).message}`, cause);
  }
}

async function load(path: string): Promise<{ readonly default?: unknown }> {
  try {
    return await import(/* @vite-ignore */ pathToFileURL(resolve(path)).href);
  } catch (cause) {
    throw refused(path, `a module, got ${(cause as Error).message}`, cause);
  }
}

function refused(path: string, what: string, cause?: unknown): AvocetError {
  return new AvocetError("usage/bad-value", `expected ${what}`, {
    at: path,
    hint: "export default () => ({ name, unit, better, labels, see(outputs, feeds, labels) {}, value: () => 0 }): docs/judging.md",
    ...(cause === undefined ? {} : { cause }),
  });
}
