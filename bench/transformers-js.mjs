/**
 * Files that Avocet wrote, in a folder as transformers.js reads it: loaded there, and held against our own session. Run `npm run build` first;
 * transformers.js is installed for this alone (`npm install --prefix DIR @huggingface/transformers`), and --library names DIR.
 *
 *   node bench/transformers-js.mjs --library DIR --source HF-FOLDER --file gptq.onnx --dtype q4 [--text valid.txt] [--lines 20]
 *   node bench/transformers-js.mjs --library DIR --config config.json --file model.onnx --dtype fp32 --tokens 1,403,407 [--new 24]
 *
 * With --text vectors of an encoder of sentences are compared (largest difference of any number, least cosine), with --tokens what a decoder
 * writes greedily after these tokens. The folder is made anew: FOLDER/config.json, tokenizer*.json and onnx/model<suffix>.onnx.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { openModel } from "../dist/formats/inner-node.js";
import { openRuntime } from "../dist/runtime/inner.js";
import { Tensor } from "../dist/tensor/inner.js";

const { values: flags } = parseArgs({
  options: {
    library: { type: "string" },
    source: { type: "string" },
    config: { type: "string" },
    file: { type: "string" },
    dtype: { type: "string", default: "q4" },
    text: { type: "string" },
    lines: { type: "string", default: "20" },
    tokens: { type: "string" },
    new: { type: "string", default: "24" },
  },
});

/** The end of a file's name by its dtype, as transformers.js 4 looks for it. */
const suffixes = { fp32: "", fp16: "_fp16", q8: "_quantized", int8: "_int8", uint8: "_uint8", q4: "_q4", q4f16: "_q4f16", q2: "_q2" }; // biome-ignore format: one table

const folder = mkdtempSync(join(tmpdir(), "avocet-tjs-"));
try {
  const name = "own/model";
  layOut(join(folder, name));
  const entry = createRequire(join(resolve(flags.library), "x.js")).resolve("@huggingface/transformers");
  const modern = join(dirname(entry), "transformers.node.mjs");
  const library = await import(pathToFileURL(existsSync(modern) ? modern : entry).href);
  library.env.allowRemoteModels = false;
  library.env.localModelPath = folder;
  const runtime = await openRuntime("ort-node");
  const session = await runtime.open(await openModel(flags.file), { threads: 1 });
  if (flags.text) await compareVectors(library, name, session);
  else await compareText(library, name, session);
  await session[Symbol.asyncDispose]();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function layOut(target) {
  mkdirSync(join(target, "onnx"), { recursive: true });
  copyFileSync(flags.file, join(target, "onnx", `model${suffixes[flags.dtype]}.onnx`));
  const parts = ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"];
  for (const part of parts) {
    const from = part === "config.json" && flags.config ? flags.config : join(flags.source ?? "", part);
    if (existsSync(from)) copyFileSync(from, join(target, part));
  }
  if (!existsSync(join(target, "config.json"))) writeFileSync(join(target, "config.json"), "{}");
}

async function compareVectors({ pipeline }, name, session) {
  const extract = await pipeline("feature-extraction", name, { dtype: flags.dtype });
  const all = readFileSync(flags.text, "utf8").split("\n");
  const lines = all.filter((line) => line.trim().length > 40).slice(0, Number(flags.lines));
  let [difference, least] = [0, 1];
  for (const line of lines) {
    const theirs = (await extract(line, { pooling: "mean", normalize: true })).data;
    const ids = extract.tokenizer(line).input_ids;
    const ours = pooled(await session.run(feeds([...ids.data].map(Number))));
    let cosine = 0;
    for (const [i, x] of ours.entries()) {
      difference = Math.max(difference, Math.abs(x - theirs[i]));
      cosine += x * theirs[i];
    }
    least = Math.min(least, cosine);
  }
  console.log(
    `| ${flags.dtype} | ${lines.length} texts | largest difference ${difference.toExponential(1)} | least cosine ${least.toFixed(7)} |`,
  );
}

function feeds(ids) {
  const row = (values) => Tensor.int64([1, ids.length], values);
  return { input_ids: row(ids), attention_mask: row(ids.map(() => 1)), token_type_ids: row(ids.map(() => 0)) };
}

/** The mean over all tokens, of length one. */
function pooled(outputs) {
  const hidden = Object.values(outputs)[0];
  const [, length, width] = hidden.shape;
  const sum = new Float64Array(width);
  for (const [i, value] of hidden.floats().entries()) sum[i % width] += value / length;
  const norm = Math.hypot(...sum);
  return sum.map((value) => value / norm);
}

async function compareText({ AutoModelForCausalLM, Tensor: TheirTensor }, name, session) {
  const model = await AutoModelForCausalLM.from_pretrained(name, { dtype: flags.dtype });
  const prompt = flags.tokens.split(",").map(Number);
  const ids = new TheirTensor("int64", BigInt64Array.from(prompt, BigInt), [1, prompt.length]);
  const mask = new TheirTensor(
    "int64",
    BigInt64Array.from(prompt, () => 1n),
    [1, prompt.length],
  );
  const found = await model.generate({
    input_ids: ids,
    attention_mask: mask,
    max_new_tokens: Number(flags.new),
    do_sample: false,
  });
  const theirs = [...found.data].map(Number).slice(prompt.length);
  const ours = await greedy(session, prompt, theirs.length);
  const same = theirs.findIndex((id, i) => id !== ours[i]);
  console.log(
    `| ${flags.dtype} | ${theirs.length} tokens | ${same < 0 ? "all equal" : `equal up to token ${same}`} | ${theirs.join(" ")} |`,
  );
}

/** Without a cache: every token from all those before. */
async function greedy(session, prompt, count) {
  const ids = [...prompt];
  const model = await openModel(flags.file);
  const past = [...model.graph.inputs].filter(({ name }) => name.startsWith("past"));
  for (let n = 0; n < count; n++) {
    const row = (values) => Tensor.int64([1, ids.length], values);
    const empty = past.map(({ name, type }) => [name, Tensor.float32([1, type.shape[1], 0, type.shape[3]], [])]);
    const { logits } = await session.run({
      input_ids: row(ids),
      attention_mask: row(ids.map(() => 1)),
      position_ids: row(ids.map((_, i) => i)),
      ...Object.fromEntries(empty),
    });
    const last = logits.floats().subarray((ids.length - 1) * logits.shape[2]);
    ids.push(last.reduce((best, value, i) => (value > last[best] ? i : best), 0));
  }
  return ids.slice(prompt.length);
}
