import { describe, expect, test } from "vitest";
import { tinyText } from "../../test/command-line.ts";
import { Random } from "../base/inner.ts";
import { fromTensors } from "../data/inner.ts";
import { parseModel } from "../ir/inner.ts";
import { openRuntime, type Runtime, type Session } from "../runtime/inner.ts";
import { Tensor } from "../tensor/inner.ts";
import { compressToLatency } from "./to-latency.ts";

const engine = await openRuntime();
const model = parseModel(tinyText.replace("[16,8,3,3]", "[64,8,3,3]").replace("float[16] b1", "float[64] b1").replace("float[5,16]", "float[5,64]"), { seed: 1 }); // biome-ignore format: a model
const random = new Random(2);
const data = fromTensors({ x: Tensor.float32([24, 8, 6, 6], Float32Array.from({ length: 24 * 288 }, () => random.normal())) }); // biome-ignore format: one thought

/** A runtime whose sessions of files take as long as the file is large: time that does not depend on the machine. */
function clockwork(perByte: number): Runtime {
  return new Proxy(engine, {
    get(target, key) {
      if (key !== "open") return Reflect.get(target, key);
      return async (file: unknown, options: object) => {
        const session = await target.open(file as Uint8Array, options);
        if (!(file instanceof Uint8Array)) return session;
        return new Proxy(session, {
          get(inner, name) {
            const own = Reflect.get(inner, name);
            if (name !== "run") return typeof own === "function" ? own.bind(inner) : own;
            return async (...args: Parameters<Session["run"]>) => {
              const until = performance.now() + file.byteLength * perByte;
              const outputs = await inner.run(...args);
              while (performance.now() < until);
              return outputs;
            };
          },
        });
      };
    },
  });
}

describe("compression to milliseconds", () => {
  test("the largest model that was measured to be fast enough, and what was measured", async () => {
    const made = await compressToLatency(model, data, clockwork(1e-4), { latency: 0.7 }, { seed: 0 });
    const note = made.notes.at(-1)!;
    const measured = [...note.matchAll(/(\d+) % of the MACs took ([\d.]+) ms/g)].map(([, share, ms]) => [Number(share), Number(ms)] as const); // biome-ignore format: one thought
    const [, reached, before, goal] = /^([\d.]+) ms of ([\d.]+) ms here, at most ([\d.]+) ms/.exec(note)!.map(Number);
    expect(reached).toBeLessThanOrEqual(goal!);
    // Three digits are printed.
    expect(goal! / before!).toBeCloseTo(0.7, 1);
    expect(measured.length).toBeGreaterThan(1);
    // Of those that were fast enough, none is larger than what is returned.
    const kept = made.cost.after.macs / made.cost.before.macs;
    const enough = measured.filter(([, ms]) => ms <= goal!).map(([share]) => share);
    expect(100 * kept).toBeLessThanOrEqual(Math.max(...enough) + 1);
    expect(kept).toBeGreaterThan(0.3);
  });

  test("a target that the model meets, one that nothing meets, and no data", async () => {
    const run = (target: Parameters<typeof compressToLatency>[3]) => compressToLatency(model, data, clockwork(1e-4), target, {}); // biome-ignore format: one thought
    await expect(run({ milliseconds: 1e6 })).rejects.toThrow(/expected less than the [\d.]+ ms that the model takes/);
    await expect(run({ milliseconds: 1e-6 })).rejects.toMatchObject({ code: "compress/unreachable", message: expect.stringMatching(/the least is [\d.]+ ms/) }); // biome-ignore format: one thought
    await expect(compressToLatency(model, null, engine, { latency: 0.5 }, {})).rejects.toMatchObject({ code: "data/none" }); // biome-ignore format: one thought
  });
});
