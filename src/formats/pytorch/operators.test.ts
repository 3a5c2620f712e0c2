/** Programs of every family of operators answer as PyTorch does, as exported and in core ATen (tools/pytorch_operator_goldens.py). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { check } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { type DType, Tensor } from "../../tensor/inner.ts";
import { arrayOf } from "../channels-last/content.ts";
import { read } from "./read.ts";

interface Packed {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

interface Golden {
  readonly name: string;
  /** As exported, and in core ATen. */
  readonly programs: Readonly<Record<string, string>>;
  readonly inputs: readonly Packed[];
  readonly outputs: readonly Packed[];
}

const file = join(import.meta.dirname, "golden/operators.json.gz");
const goldens = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Golden[];
const tensorOf = ({ dtype, shape, values }: Packed) => Tensor.of(dtype, shape, arrayOf(dtype, values));

/** Of the largest number: sums and functions of float32, which two libraries compute in another order. */
const relative = 1e-5;

describe("programs", () => {
  const programs = goldens.flatMap(({ name, programs: kinds, ...rest }) =>
    Object.entries(kinds).map(([kind, program]) => ({ ...rest, name: `${name} ${kind}`, program })),
  );
  test.each(programs)("$name", async ({ program, inputs, outputs }) => {
    const model = read({ name: "golden.pt2", bytes: new Uint8Array(Buffer.from(program, "hex")) });
    check(model);
    const runtime = await openRuntime("ort-node");
    await using session = await runtime.open(model);
    const names = model.graph.inputs.filter((value) => !value.initializer).map(({ name }) => name);
    const found = await session.run(Object.fromEntries(names.map((name, i) => [name, tensorOf(inputs[i]!)])));
    const answers = model.graph.outputs.map(({ name }) => found[name]!);
    expect(answers.length).toBe(outputs.length);
    for (const [i, expected] of outputs.entries()) {
      const answer = answers[i]!;
      expect(answer.shape, `shape of output ${i}`).toEqual(expected.shape);
      expect(answer.dtype, `type of output ${i}`).toBe(expected.dtype);
      const largest = expected.values.reduce((most, x) => Math.max(most, Math.abs(x)), 1e-3);
      const values = answer.numbers();
      const off = expected.values.reduce((most, x, k) => Math.max(most, Math.abs(x - values[k]!)), 0);
      expect(off / largest, `output ${i}`).toBeLessThan(expected.dtype === "float16" ? 1e-3 : relative);
    }
  });
});
