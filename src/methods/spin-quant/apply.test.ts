/** Rotated transformers compute what they computed: decoders with caches, encoders of either normalization, tied heads; what is refused. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type NetOptions, tokens, transformerNet, width } from "../../../test/transformer-net.ts";
import { openModel } from "../../formats/inner-node.ts";
import type { Model } from "../../ir/inner.ts";
import { normalise } from "../../passes/inner.ts";
import { openRuntime } from "../../runtime/inner.ts";
import { type Feeds, Tensor } from "../../tensor/inner.ts";
import { rotateTransformer } from "./apply.ts";

const runtime = await openRuntime("ort-node");
const everything = { residual: true, values: true, scores: true, hidden: true };

/** Sums of some dozens of products of float32, in another order and with other factors. */
const relative = 2e-5;

async function outputsOf(model: Model, feeds: Feeds): Promise<Feeds> {
  await using session = await runtime.open(model);
  return await session.run(feeds);
}

function expectEqual(found: Tensor, expected: Tensor): void {
  const [a, b] = [found.numbers(), expected.numbers()];
  const largest = b.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const off = a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
  expect(largest).toBeGreaterThan(0);
  expect(off / largest).toBeLessThan(relative);
}

const weights = (model: Model) =>
  new Map([...model.graph.initializers].map((value) => [value.name, value.initializer!.numbers()]));

async function rotated(net: NetOptions, options: Parameters<typeof rotateTransformer>[2] = {}) {
  const model = transformerNet(net);
  // The turned table of a tied head would be folded into a copy, as it is small; real ones are not.
  if (!net.tied) await normalise(model, { runtime });
  const made = await rotateTransformer(model, { runtime }, options);
  const feeds = { ids: tokens(1) };
  const [before, after] = [await outputsOf(model, feeds), await outputsOf(made.model, feeds)];
  return { model, made: made.model, report: made.report, before, after };
}

describe.each(["layer", "rms"] as const)("an encoder with %s normalization", (norm) => {
  test.each([
    [{}, {}],
    [{ tied: true }, {}],
    [{}, { residual: false }],
    [{}, { values: false }],
    [{}, { residual: false, values: false, scores: true }],
    [{}, { residual: false, values: false, hidden: true }],
    [{ tied: true }, everything],
    [{ joined: true }, everything],
    [{ blocks: 1 }, { seed: 3 }],
  ] as const)("of %j computes the same with %j", async (net, options) => {
    const { before, after, report, model, made } = await rotated({ norm, ...net }, options);
    expectEqual(after.logits!, before.logits!);
    expect(report.edits).toBeGreaterThan(0);
    expect(weights(made)).not.toEqual(weights(model));
  });

  test("mixes every channel of what writes into the stream into every other", async () => {
    const { model, made } = await rotated({ norm, blocks: 1 });
    const [before, after] = [weights(model).get("down0_w")!, weights(made).get("down0_w")!];
    const energy = (w: number[]) => w.reduce((sum, x) => sum + x * x, 0);
    expect(energy(after)).toBeCloseTo(energy(before), 3);
    // A row that is one channel alone becomes one of all channels: no weight of the rotation is zero.
    expect(after.filter((x, i) => Math.abs(x - before[i]!) < 1e-4).length).toBeLessThan(before.length / 10);
    const operators = (of: Model) =>
      [...of.graph.nodes].filter(({ op }) => op === "LayerNormalization" || op === "Sqrt");
    expect(operators(made).length).toBe(operators(model).length);
  });

  test("keeps one table for embedding and head", async () => {
    const { made, report } = await rotated({ norm, tied: true });
    const tables = [...made.graph.initializers].filter(({ initializer }) => initializer!.size === 20 * width);
    expect(tables.map(({ name }) => name)).toEqual(["table"]);
    expect(tables[0]!.useCount).toBe(2);
    expect(report.notes.join("\n")).toContain(`a product [${width}, ${width}] in front of the head`);
  });
});

test("a seed decides the signs", async () => {
  const of = async (seed: number) => weights((await rotated({}, { seed })).made).get("down0_w")!;
  expect(await of(1)).toEqual(await of(1));
  expect(await of(1)).not.toEqual(await of(2));
});

describe("what is left alone", () => {
  test("normalizations behind additions: what they return is itself added to", async () => {
    const { report, before, after } = await rotated({ order: "post", norm: "layer" }, { values: false });
    expect(report.edits).toBe(0);
    expect(after).toEqual(before);
    expect(report.notes.join("\n")).toMatch(/no residual stream/);
  });

  test("queries, keys and values of one layer", async () => {
    const { report } = await rotated({ joined: true });
    expect(report.notes.join("\n")).toMatch(
      /its heads are not rotated: the values of .* come from no layer of their own/,
    );
  });

  test("values that leave the model", async () => {
    const { report, before, after } = await rotated({ shown: true });
    expectEqual(after.vt0!, before.vt0!);
    expect(report.notes.join("\n")).toMatch(/vt0 leaves the model and does not come back/);
  });

  test("a model without blocks", async () => {
    const { report } = await rotated({ blocks: 0 });
    expect(report).toMatchObject({ edits: 0, notes: [expect.stringContaining("no residual stream was found")] });
  });
});

const golden = join(import.meta.dirname, "../../formats/decoder/golden");

describe.each(["llama", "llama3", "mistral", "qwen2", "qwen3"])("the decoder %s", async (name) => {
  const model = await openModel(join(golden, name, "config.json"));
  await normalise(model, { runtime });

  test.each([{}, everything])("answers the same token by token with %j", async (options) => {
    const { model: made, report } = await rotateTransformer(model, { runtime }, options);
    expect(report.notes.join("\n")).toMatch(/residual stream of \d+ channels rotated/);
    expect(report.notes.join("\n")).not.toMatch(/its heads are not rotated|queries and keys are not rotated/);
    const [a, b] = [await twoSteps(model), await twoSteps(made)];
    expectEqual(b.prompt, a.prompt);
    expectEqual(b.next, a.next);
  });
});

/** Logits of a prompt of four tokens, and of the next token with the caches that the same model returned. */
async function twoSteps(model: Model): Promise<{ readonly prompt: Tensor; readonly next: Tensor }> {
  await using session = await runtime.open(model);
  const row = (numbers: number[]) => Tensor.int64([1, numbers.length], numbers);
  const empty = model.graph.inputs.flatMap(({ name, type }) => {
    const [, heads, , size] = type?.kind === "tensor" ? (type.shape ?? []) : [];
    return name.startsWith("past") ? [[name, Tensor.float32([1, Number(heads), 0, Number(size)], [])] as const] : [];
  });
  const feeds = (ids: number[], from: number) => ({
    input_ids: row(ids),
    attention_mask: row(Array(from + ids.length).fill(1)),
    position_ids: row(ids.map((_, i) => from + i)),
  });
  const first = await session.run({ ...feeds([5, 1, 7, 3], 0), ...Object.fromEntries(empty) });
  const caches = empty.map(([name]) => [name, first[name.replace("past_key_values", "present")]!] as const);
  const second = await session.run({ ...feeds([9], 4), ...Object.fromEntries(caches) });
  return { prompt: first.logits!, next: second.logits! };
}
