/** Encodings files against those that AIMET-onnx 2.42 exported for the same model, data and configuration (golden/files). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fromArray } from "../src/data/inner.ts";
import { readNpy } from "../src/data/inner-files.ts";
import { readModelFile } from "../src/formats/inner-node.ts";
import { builtinTarget, calibrate, place, writeEncodings } from "../src/quant/inner.ts";
import { readEncodings } from "../src/quant/inner-files.ts";
import { firstSample, openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { golden, missing } from "./fixtures.ts";

const reason = missing("files/residual-inputs.npy", "placement/residual.onnx");

/** The bounds of its Clip, which AIMET quantizes and we do not (golden-placement.test.ts says why). */
const scalars = ["lo", "hi"];

type Row = Record<string, unknown>;

/** Every entry of a file by name, numbers included. */
function rows(text: string): Map<string, unknown> {
  const file = JSON.parse(text) as Record<string, Row[] | Record<string, unknown>>;
  const found = new Map<string, unknown>();
  for (const section of ["activation_encodings", "param_encodings", "encodings"]) {
    const entries = file[section];
    if (Array.isArray(entries)) for (const row of entries) found.set(`${section} ${row.name}`, row);
    else for (const [name, row] of Object.entries(entries ?? {})) found.set(`${section} ${name}`, row);
  }
  for (const name of scalars)
    for (const section of ["activation_encodings", "encodings"]) found.delete(`${section} ${name}`);
  return found;
}

/** The same structure, with numbers equal to 1e-5 of themselves: AIMET's activations come from another runtime version. */
function expectClose(ours: unknown, theirs: unknown, path: string): void {
  if (typeof theirs === "number") {
    expect(typeof ours, path).toBe("number");
    expect(Math.abs((ours as number) - theirs), path).toBeLessThanOrEqual(1e-5 * Math.abs(theirs) + 1e-12);
  } else if (typeof theirs === "object" && theirs !== null) {
    expect(Object.keys(ours as object).sort(), path).toEqual(Object.keys(theirs).sort());
    for (const [key, value] of Object.entries(theirs)) expectClose((ours as Row)[key], value, `${path}.${key}`);
  } else expect(ours, path).toEqual(theirs);
}

test.skipIf(reason).each(["0.6.1", "1.0.0", "2.0.0"] as const)(
  `version %s${reason ? ` (${reason})` : ""}`,
  async (version) => {
    const runtime = await openRuntime();
    // The exported model had other random weights than the one of placement/; its Q/DQ form holds them, rounded to their grids.
    const model = readModelFile(golden("placement/residual.onnx"));
    const weights = readModelFile(golden("files/residual-qdq.onnx")).graph.valuesByName();
    for (const value of model.graph.initializers) value.initializer = weights.get(value.name)!.initializer;
    const inputs = await readNpy(readFileSync(golden("files/residual-inputs.npy")));
    const data = fromArray("x", inputs.shape, inputs.floats());
    const shapes = await traceShapes(model, runtime, await firstSample(data));
    const { plan } = await calibrate(model, place(model, builtinTarget("htp-v73"), { shapes }), runtime, data, {
      scheme: "minmax",
      batch: 1,
    });
    const theirs = readFileSync(golden(`files/residual-${version}.encodings`), "utf8");
    const ours = writeEncodings(plan, model, { version, producer: { package: "aimet-onnx", version: "2.42.0" } });
    expect(Object.keys(JSON.parse(ours))).toEqual(Object.keys(JSON.parse(theirs)));
    expect(JSON.parse(ours).quantizer_args).toEqual(JSON.parse(theirs).quantizer_args);
    const [a, b] = [rows(ours), rows(theirs)];
    expect([...a.keys()].sort()).toEqual([...b.keys()].sort());
    for (const [name, row] of b) expectClose(a.get(name), row, name);
    expect(readEncodings(theirs).encodings.length).toBeGreaterThan(10);
  },
);
