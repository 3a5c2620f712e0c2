/** Runs the command line as a function, in a folder of its own with a tiny model and data. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../src/base/inner.ts";
import type { RawIo } from "../src/cli/io.ts";
import { main } from "../src/cli/program.ts";
import { writeNpy } from "../src/data/inner-files.ts";
import { writeModelFile } from "../src/formats/inner-node.ts";
import { type Model, parseModel } from "../src/ir/inner.ts";
import { openRuntime } from "../src/runtime/inner.ts";
import { Tensor } from "../src/tensor/inner.ts";

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The outcome of one command; nothing of it touches the process. */
export async function avocet(args: readonly string[], signal = new AbortController().signal): Promise<Run> {
  let [out, err] = ["", ""];
  const io: RawIo = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    interactive: false,
    color: false,
    signal,
    env: {},
  };
  return { code: await main(args, io), out, err };
}

/** Every command of the program, with its help. */
export async function commandHelp(): Promise<Map<string, string>> {
  const names = [...(await avocet(["--help"])).out.matchAll(/^ {2}([a-z]+) \[/gm)].map((match) => match[1]!);
  return new Map(await Promise.all(names.map(async (name) => [name, (await avocet(["help", name])).out] as const)));
}

/** The same with --json: the one document on stdout. */
// biome-ignore lint/suspicious/noExplicitAny: what a document holds is what tests are about
export async function avocetJson(args: readonly string[]): Promise<Run & { readonly json: any }> {
  const run = await avocet([...args, "--json", "--threads", "1"]);
  return { ...run, json: JSON.parse(run.out) };
}

/** A file of safetensors: the length of its header, the header, the numbers. */
export function writeSafetensors(tensors: Readonly<Record<string, Tensor>>): Uint8Array {
  let end = 0;
  const entries = Object.entries(tensors).map(([name, { shape, byteLength }]) => {
    const begin = end;
    end += byteLength;
    return [name, { dtype: "F32", shape, data_offsets: [begin, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const numbers = Object.values(tensors).map((tensor) => Buffer.from(Float32Array.from(tensor.floats()).buffer));
  return Buffer.concat([length, header, ...numbers]);
}

/** A small classifier: 8 channels of 6 × 6, two convolutions, five classes. */
export const tinyText = `<ir_version: 10, opset_import: ["" : 21]>
  tiny (float[N,8,6,6] x) => (float[N,5] y) <float[16,8,3,3] w1, float[16] b1, float[5,16] w2> {
    [conv] c = Conv <pads = [1,1,1,1]> (x, w1, b1)
    [relu] r = Relu(c)
    [pool] p = GlobalAveragePool(r)
    [flat] f = Flatten(p)
    [gemm] y = Gemm <transB = 1> (f, w2) }`;

export interface Workshop extends Disposable {
  readonly folder: string;
  /** A path in the folder. */
  at(...names: string[]): string;
  write(name: string, content: string | Uint8Array): string;
  npy(name: string, tensor: Tensor): string;
  model(name: string, model: Model): Promise<string>;
  /** Everything in the folder, for "nothing was left behind". */
  listing(): string[];
  // biome-ignore lint/suspicious/noExplicitAny: reports and recipes as written
  json(...names: string[]): any;
}

/** A temporary folder with tiny.onnx, x.npy (40 samples), and y.npy: what the float model decides, so that it scores 1. */
export async function workshop(): Promise<Workshop> {
  const folder = mkdtempSync(join(tmpdir(), "avocet-cli-"));
  const at = (...names: string[]) => join(folder, ...names);
  const shop: Workshop = {
    folder,
    at,
    write(name, content) {
      writeFileSync(at(name), content);
      return at(name);
    },
    npy: (name, tensor) => shop.write(name, writeNpy(tensor)),
    async model(name, model) {
      await writeModelFile(model, at(name));
      return at(name);
    },
    listing: () => readdirSync(folder, { recursive: true }).map(String).sort(),
    json: (...names) => JSON.parse(readFileSync(at(...names), "utf8")),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
  const model = parseModel(tinyText, { seed: 2 });
  await shop.model("tiny.onnx", model);
  const random = new Random(1);
  const x = Tensor.float32(
    [40, 8, 6, 6],
    Float32Array.from({ length: 40 * 288 }, () => random.normal()),
  );
  shop.npy("x.npy", x);
  await using session = await (await openRuntime()).open(model);
  const scores = (await session.run({ x })).y!.floats();
  const best = Array.from({ length: 40 }, (_, n) => {
    const row = [...scores.subarray(5 * n, 5 * n + 5)];
    return row.indexOf(Math.max(...row));
  });
  shop.npy("y.npy", Tensor.of("uint8", [40], Uint8Array.from(best)));
  return shop;
}
