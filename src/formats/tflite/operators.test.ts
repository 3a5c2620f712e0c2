/** TFLite's operators, one by one and in small networks, against what TensorFlow Lite itself computed (tools/tflite_goldens.py). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { isRefused } from "../../base/inner.ts";
import { check } from "../../ir/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { type DType, Tensor } from "../../tensor/inner.ts";
import { read } from "./read.ts";
import { tfliteRows } from "./rows/table.ts";

interface Recorded {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly data: string;
  /** The scale of a quantized output. */
  readonly step?: number;
}

interface Case {
  readonly name: string;
  readonly ops: readonly string[];
  readonly model: string;
  readonly inputs: readonly Recorded[];
  readonly outputs: readonly Recorded[];
}

const path = join(import.meta.dirname, "golden/operators.json.gz");
const cases = JSON.parse(gunzipSync(readFileSync(path)).toString()) as readonly Case[];
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
const tensorOf = ({ dtype, shape, data }: Recorded) => Tensor.fromBytes(dtype as DType, shape, bytesOf(data));

describe.each(cases.map((one) => [one.name, one] as const))("%s", (name, { model: file, inputs, outputs }) => {
  test("has TensorFlow Lite's outputs", async () => {
    const model = read({ name, bytes: bytesOf(file) });
    check(model);
    const runtime = await openRuntime();
    await using session = await runtime.open(model);
    const made = await session.run(Object.fromEntries(inputs.map((one) => [one.name, tensorOf(one)])));
    for (const recorded of outputs) {
      const [expected, y] = [tensorOf(recorded).numbers(), made[recorded.name]!];
      expect(y.shape).toEqual(recorded.shape);
      expect(y.dtype).toBe(recorded.dtype);
      const numbers = y.numbers();
      const differences = expected.map((value, i) => Math.abs(value - numbers[i]!));
      const largest = Math.max(...expected.map(Math.abs), 1e-3);
      if (recorded.step === undefined) {
        // Sums of up to some hundred float32 products in another order; whole numbers are equal.
        const most = recorded.dtype === "float32" ? 1e-5 * largest : 0;
        expect(Math.max(...differences)).toBeLessThanOrEqual(most);
        continue;
      }
      // Fixed-point multipliers round some halves the other way: one step of the grid. Functions of int16 are read from tables there,
      // which are off by two steps, of 2⁻¹⁵, almost anywhere.
      const steps = differences.map((difference) => Math.round(difference / recorded.step!));
      const isWide = recorded.step < 2 ** -14;
      expect(Math.max(...steps)).toBeLessThanOrEqual(isWide ? 2 : 1);
      if (!isWide) expect(steps.filter((count) => count > 0).length).toBeLessThanOrEqual(Math.ceil(steps.length / 10));
    }
  });
});

test("every operator that is translated has a case, but for those that no tool of today writes and runs", () => {
  const shown = new Set(cases.flatMap((one) => one.ops));
  const rows = Object.entries(tfliteRows).filter(([, row]) => !isRefused(row));
  const missing = rows.map(([op]) => op).filter((op) => !shown.has(op));
  expect(missing).toMatchInlineSnapshot(`
    [
      "BITWISE_XOR",
      "RANK",
      "BROADCAST_ARGS",
      "CALL",
      "CALL_ONCE",
    ]
  `);
});
