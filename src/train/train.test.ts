/** The loop: it learns, it can be interrupted, and the same seed returns the same bytes. */
import { beforeAll, describe, expect, test } from "vitest";
import { AvocetError, type Checkpoint, Random } from "../base/inner.ts";
import { fromTensors } from "../data/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { openRuntime, type Runtime } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { type Augment, crop } from "./augment.ts";
import { trainBatchNorms } from "./batch-norm-training.ts";
import { crossEntropy } from "./losses/cross-entropy.ts";
import { schedule } from "./schedule.ts";
import { stepsPerEpoch, type TrainOptions, train } from "./train.ts";
import { Trainer } from "./trainer.ts";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await openRuntime();
});

/** Bars, upright or lying, of any brightness and place, in noise: a convolution must tell them apart, no single pixel can. */
function bars(count: number, seed: number) {
  const random = new Random(seed);
  const images = new Float32Array(count * 64);
  const labels = Array.from({ length: count }, (_, sample) => {
    const [label, place] = [random.integer(2), 1 + random.integer(6)];
    const brightness = (1 + random.uniform()) * (random.uniform() < 0.5 ? 1 : -1);
    for (let i = 0; i < 64; i++) {
      const isBar = (label === 0 ? i % 8 : i >> 3) === place;
      images[sample * 64 + i] = random.normal(0, 0.3) + (isBar ? brightness : 0);
    }
    return label;
  });
  return fromTensors({ x: Tensor.float32([count, 1, 8, 8], images), labels: Tensor.int64([count], labels) });
}
const data = bars(320, 1);

const network = () =>
  parseModel(
    `<ir_version: 10, opset_import: ["" : 21]>
    g (float[n,1,8,8] x) => (float[n,2] y) <float[6,1,3,3] w1, float[6] gamma, float[6] beta = {0,0,0,0,0,0}, float[6] mean = {0,0,0,0,0,0}, float[6] var = {1,1,1,1,1,1}, float[2,6] w2, float[2] b2 = {0,0}>
    { c = Conv <pads = [1,1,1,1]> (x, w1)
      n1 = BatchNormalization (c, gamma, beta, mean, var)
      r = Relu(n1)
      p = GlobalAveragePool(r)
      f = Flatten(p)
      y = Gemm <transB = 1> (f, w2, b2) }`,
    { seed: 5 },
  );

const epochs = 8;

async function open(): Promise<Trainer> {
  const model = network();
  const { affine, states } = trainBatchNorms(model);
  return await Trainer.open(
    {
      model,
      states,
      example: await data.read(Array.from({ length: 32 }, (_, i) => i)),
      groups: [{ names: ["w1", "w2"], weightDecay: 1e-3 }, { names: [...affine, "b2"] }],
      loss: crossEntropy(),
      optimizer: { kind: "adamw" },
      rate: schedule({ kind: "one-cycle", rate: 0.05 }, epochs * 10),
    },
    runtime,
  );
}

const options: TrainOptions = { data, epochs, seed: 3, augment: crop(["x"], { pad: 1 }) };

/** A checkpoint in memory. */
function memory(): Checkpoint {
  const kept = new Map<string, Uint8Array>();
  return { load: async (key) => kept.get(key), save: async (key, bytes) => void kept.set(key, bytes.slice()) };
}

describe("training", () => {
  test("a small convolutional network learns from random weights", async () => {
    const seen: number[] = [];
    await using trainer = await open();
    const { steps, losses } = await train(trainer, { ...options, onEpoch: ({ epoch }) => void seen.push(epoch) });
    expect(steps).toBe(80);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(losses[7]).toBeLessThan(losses[0]! / 2);
    // In inference form, with the statistics that training gathered, on bars that it has not seen. Chance is one half.
    const trained = trainer.applyTo(network());
    await using session = await runtime.open(trained);
    const { x, labels } = await bars(200, 2).read(Array.from({ length: 200 }, (_, i) => i));
    const scores = (await session.run({ x: x! })).y!.floats();
    const right = labels!.numbers().filter((label, i) => scores[2 * i + label]! > scores[2 * i + 1 - label]!).length;
    expect(right / 200).toBeGreaterThan(0.9);
  });

  test("the same seed gives the same bytes, another one does not", async () => {
    const bytes = async (seed: number) => {
      await using trainer = await open();
      await train(trainer, { ...options, epochs: 2, seed });
      return trainer.save();
    };
    const first = await bytes(3);
    expect(await bytes(3)).toEqual(first);
    expect(await bytes(4)).not.toEqual(first);
  });

  test.each([
    { how: "aborted in the middle of an epoch", abortAt: 23, saveEvery: 10, resumesAt: 23 },
    { how: "killed: the last save counts", abortAt: 23, saveEvery: 10, resumesAt: 20, killed: true },
  ])("interrupted and resumed equals uninterrupted: $how", async ({ abortAt, saveEvery, resumesAt, killed }) => {
    await using whole = await open();
    const expected = await train(whole, { ...options, epochs: 4 });

    const checkpoint = memory();
    const abort = new AbortController();
    const stop = ({ done }: { readonly done: number }) => {
      if (done !== abortAt) return;
      if (killed) throw new Error("killed");
      abort.abort();
    };
    {
      await using first = await open();
      const work = { ...options, epochs: 4, checkpoint, saveEvery, signal: abort.signal, onProgress: stop };
      const failure = await train(first, work).catch((error) => error);
      expect(killed ? failure.message : (failure as AvocetError).code).toBe(killed ? "killed" : "abort/interrupted");
    }
    let begins = 0;
    await using second = await open();
    const onProgress = ({ done }: { readonly done: number }) => {
      begins ||= done - 1;
    };
    const result = await train(second, { ...options, epochs: 4, checkpoint, saveEvery, onProgress });
    expect(begins).toBe(resumesAt);
    expect(result).toEqual(expected);
    expect(second.save()).toEqual(whole.save());
  });

  test("every sample comes once an epoch, in an order that changes", async () => {
    const order: number[][] = [[], []];
    const numbered = fromTensors({
      x: Tensor.float32(
        [320, 1, 8, 8],
        new Float32Array(320 * 64).map((_, i) => Math.floor(i / 64)),
      ),
      labels: Tensor.int64([320], new Array(320).fill(0)),
    });
    await using trainer = await open();
    const augment: Augment = (feeds) => {
      const numbers = feeds.x!.floats().filter((_, i) => i % 64 === 0);
      order[trainer.steps < 10 ? 0 : 1]!.push(...numbers);
      return feeds;
    };
    await train(trainer, { data: numbered, epochs: 2, augment });
    for (const epoch of order)
      expect([...epoch].sort((a, b) => a - b)).toEqual(Array.from({ length: 320 }, (_, i) => i));
    expect(order[0]).not.toEqual(order[1]);
  });

  test("less data than a batch is repeated to fill it", async () => {
    expect([stepsPerEpoch(100, 32), stepsPerEpoch(5, 32)]).toEqual([3, 1]);
    await using trainer = await open();
    const { steps } = await train(trainer, { data: bars(5, 1), epochs: 2 });
    expect(steps).toBe(2);
  });

  test("a loss that is not finite stops it, and what was learnt stays", async () => {
    await using trainer = await open();
    const feeds = await data.read(Array.from({ length: 32 }, (_, i) => i));
    await trainer.step(feeds);
    const before = trainer.save();
    const spoilt = { ...feeds, x: Tensor.float32([32, 1, 8, 8], new Float32Array(32 * 64).fill(Number.NaN)) };
    await expect(trainer.step(spoilt)).rejects.toMatchObject({ code: "data/not-finite" });
    expect(trainer.save()).toEqual(before);
  });

  test("a checkpoint of another network is refused", async () => {
    await using trainer = await open();
    const other = await Trainer.open(
      {
        model: parseModel(
          '<ir_version: 10, opset_import: ["" : 21]> g (float[1,2] x) => (float[1,2] y) <float[2,2] w> { y = MatMul(x, w) }',
          { seed: 1 },
        ),
        example: { x: Tensor.float32([1, 2], [1, 2]), labels: Tensor.int64([1], [0]) },
        groups: [{ names: ["w"] }],
        loss: crossEntropy(),
        optimizer: { kind: "sgd" },
        rate: 0.1,
      },
      runtime,
    );
    expect(() => trainer.restore(other.save())).toThrow(AvocetError);
    await other[Symbol.asyncDispose]();
  });
});
