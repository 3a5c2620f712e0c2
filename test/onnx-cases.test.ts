/**
 * The node tests of the onnx package: every model survives the file format and the text, and returns the same outputs
 * after normalising and optimising at its own opset, at 21 and at 26; static types contradict no declared one. tools/onnx_cases.py writes them; without
 * AVOCET_ONNX_CASES the test is skipped, because they are no part of the repository (and take a minute).
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AvocetError } from "../src/base/inner.ts";
import { inferTypes } from "../src/facts/inner.ts";
import { readModel, writeModel } from "../src/formats/inner.ts";
import { cloneModel, type Model, parseModel, printModel } from "../src/ir/inner.ts";
import { newestOpset, normalise, oldestOpset, optimise } from "../src/passes/inner.ts";
import { crosses, openRuntime, type Runtime } from "../src/runtime/inner.ts";
import { dtypeOfOnnx, type Feeds, Tensor } from "../src/tensor/inner.ts";

const folder = process.env.AVOCET_ONNX_CASES;

interface Port {
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly data: string;
}

function feedsOf(name: string): Feeds | null {
  const ports = JSON.parse(readFileSync(join(folder!, `${name}.json`), "utf8")) as Record<string, Port> | null;
  if (!ports) return null;
  const tensors = Object.entries(ports).map(([port, { dtype, shape, data }]): [string, Tensor] => {
    const bytes = new Uint8Array(Buffer.from(data, "base64"));
    return [port, Tensor.fromBytes(dtypeOfOnnx(dtype)!, shape, bytes)];
  });
  return Object.fromEntries(tensors);
}

/** Whether inputs and outputs are tensors that the runtime hands over. */
function isRunnable(model: Model): boolean {
  return [...model.graph.inputs, ...model.graph.outputs].every(
    ({ type }) => type?.kind === "tensor" && crosses(type.dtype),
  );
}

async function run(runtime: Runtime, model: Model, feeds: Feeds): Promise<Feeds> {
  await using session = await runtime.open(model, { optimization: "off" });
  return await session.run(feeds);
}

/** What differs between two results, in words. */
function difference(before: Feeds, after: Feeds, tolerance: number): string | undefined {
  if (`${Object.keys(before)}` !== `${Object.keys(after)}`) return `outputs ${Object.keys(after)}`;
  for (const [name, a] of Object.entries(before)) {
    const b = after[name]!;
    if (a.dtype !== b.dtype || `${a.shape}` !== `${b.shape}`) return `${name} is ${b.dtype}[${b.shape}]`;
    if (a.dtype === "string") {
      if (`${a.data}` !== `${b.data}`) return `${name} has other texts`;
      continue;
    }
    const [x, y] = [a.numbers(), b.numbers()];
    const at = x.findIndex((v, i) => !Object.is(v, y[i]) && !(Math.abs(v - y[i]!) <= tolerance * (1 + Math.abs(v))));
    if (at >= 0) return `${name}[${at}] is ${y[at]} instead of ${x[at]}`;
  }
  return undefined;
}

/** Outputs whose static type contradicts what the case declares; lengths that are not known contradict nothing. */
function wrongTypes(model: Model): string[] {
  const copy = cloneModel(model);
  const declared = copy.graph.outputs.map(({ name, type }) => ({ name, type }));
  for (const value of copy.graph.values()) if (value.producer) value.type = undefined;
  const found = inferTypes(copy);
  return declared.flatMap(({ name, type }) => {
    const inferred = found.get(name);
    if (!inferred?.shape || type?.kind !== "tensor" || !type.shape) return [];
    const fits =
      inferred.dtype === type.dtype &&
      inferred.shape.length === type.shape.length &&
      inferred.shape.every((n, axis) => n === null || typeof type.shape![axis] !== "number" || n === type.shape![axis]);
    return fits ? [] : [`${name} is ${type.dtype}[${type.shape}], inferred as ${inferred.dtype}[${inferred.shape}]`];
  });
}

test.skipIf(!folder && "AVOCET_ONNX_CASES names no folder (tools/onnx_cases.py writes one)")(
  "the node tests of the onnx package",
  async () => {
    const runtime = await openRuntime();
    const faults: string[] = [];
    const counts = { cases: 0, compared: 0, "not runnable": 0, "without kernel": 0 };
    for (const name of readdirSync(folder!)
      .filter((file) => file.endsWith(".onnx"))
      .map((file) => file.slice(0, -5))) {
      counts.cases++;
      const model = readModel(new Uint8Array(readFileSync(join(folder!, `${name}.onnx`))));
      const feeds = isRunnable(model) ? feedsOf(name) : null;
      const written = readModel(writeModel(model));
      const text = printModel(model, { tensors: "full" });
      if (printModel(written, { tensors: "full" }) !== text) faults.push(`${name}: the file format changes it`);
      for (const fault of wrongTypes(model)) faults.push(`${name}: ${fault}`);
      if (!feeds) {
        counts["not runnable"]++;
        continue;
      }
      const before = await run(runtime, model, feeds).catch(() => undefined);
      if (!before) {
        counts["without kernel"]++;
        continue;
      }
      const forms: [string, Model, number][] = [
        ["written and read", written, 0],
        ["printed and parsed", parseModel(text), 0],
      ];
      for (const opset of [model.opset, 21, newestOpset]) {
        for (const pass of [normalise, optimise]) {
          const copy = cloneModel(model);
          await pass(copy, { runtime, opset: Math.max(opset, oldestOpset) });
          // Folded and recognised operators sum in another order.
          forms.push([`${pass.name} at ${opset}`, copy, 1e-5]);
        }
      }
      for (const [how, form, tolerance] of forms) {
        try {
          const fault = difference(before, await run(runtime, form, feeds), tolerance);
          if (fault) faults.push(`${name}, ${how}: ${fault}`);
          counts.compared++;
        } catch (error) {
          if (!AvocetError.is(error) || !/implementation|NOT_IMPLEMENTED/.test(error.message))
            faults.push(`${name}, ${how}: ${error}`);
          else counts["without kernel"]++;
        }
      }
    }
    console.log(JSON.stringify(counts));
    expect(faults).toEqual([]);
  },
  600_000,
);
