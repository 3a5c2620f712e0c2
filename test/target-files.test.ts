/** Every built-in target, on a small network: what its file needs, where that opens, and what the target refuses; docs/target-files.md is printed from it. */
import { expect, test } from "vitest";
import { fromArray } from "../src/data/inner.ts";
import { parseModel } from "../src/ir/inner.ts";
import {
  builtinTarget,
  calibrate,
  encodeObserved,
  gridName,
  lower,
  type Plan,
  parseGrid,
  place,
  requiredOpset,
  targetFile,
  targetNames,
  usableGrids,
} from "../src/quant/inner.ts";
import { planFromJson, planToJson } from "../src/quant/inner-files.ts";
import { targetRefusal } from "../src/quant/targets/target.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { seededFeeds } from "./same-outputs.ts";

const model = parseModel(
  `<ir_version: 8, opset_import: ["" : 17]> net (float[2,8,6,6] x) => (float[2,5] y)
  <float[16,8,3,3] w, float[16] b, float[16,16,1,1] v, float[5,16] g, float[5] h> {
    c = Conv <pads = [1,1,1,1]> (x, w, b) r = Relu(c) d = Conv(r, v) s = Add(d, r)
    p = GlobalAveragePool(s) f = Flatten(p) y = Gemm <transB = 1> (f, g, h) }`,
  { seed: 3 },
);
const runtimes = { "ort-node": await openRuntime("ort-node"), "ort-web": await openRuntime("ort-web") };
const feeds = seededFeeds(model);
const shapes = await traceShapes(model, runtimes["ort-node"], feeds);

async function planOf(name: string): Promise<Plan> {
  const data = fromArray("x", feeds.x!.shape, feeds.x!.floats());
  const placed = place(model, builtinTarget(name), { shapes });
  return (await calibrate(model, placed, runtimes["ort-node"], data, { scheme: "minmax" })).plan;
}

/** Grids, shortened to what they have in common. */
function gridsOf(plan: Plan, kind: "weight" | "activation"): string {
  const found = new Set(
    plan.entries.flatMap((e) =>
      e.kind === kind
        ? [
            `${gridName(e.grid)}${e.symmetric ? " symmetric" : ""}${kind === "weight" ? ` per ${e.granularity.kind}` : ""}`,
          ]
        : [],
    ),
  );
  return [...found].join(", ") || "float";
}

async function row(name: string): Promise<string> {
  const plan = await planOf(name);
  const file = lower(model, plan).model;
  const opens: string[] = [];
  for (const [runtime, { open }] of Object.entries(runtimes).map(
    ([key, one]) => [key, { open: one.open.bind(one) }] as const,
  )) {
    await using session = await open(file, { threads: 1 });
    const outputs = await session.run(feeds);
    expect(outputs.y!.floats().every(Number.isFinite)).toBe(true);
    opens.push(runtime);
  }
  const { bias } = builtinTarget(name);
  const integers = file.opset >= requiredOpset(plan) ? requiredOpset(plan) : 0;
  return `| \`${name}\` | ${gridsOf(plan, "weight")} | ${gridsOf(plan, "activation")} | ${bias} | ${integers} | ${opens.join(", ")} | ${refusals(name)} |`;
}

/** A list of grids, the widths of both signs as from … to. */
function shortened(grids: readonly string[]): string {
  const all = Array.from({ length: 14 }, (_, i) => [`int${i + 3}`, `uint${i + 3}`]).flat();
  return all.every((one) => grids.includes(one))
    ? ["int3 to uint16", ...grids.filter((one) => !all.includes(one))].join(", ")
    : grids.join(", ");
}

/** What the target refuses, with the first reason of each kind. */
function refusals(name: string): string {
  const target = builtinTarget(name);
  const parts = (["activations", "weights"] as const).flatMap((use) => {
    const refused = usableGrids(use === "weights" ? "weight" : "activation").filter(
      (grid) => targetRefusal(target, use, grid) !== undefined,
    );
    const taken = usableGrids(use === "weights" ? "weight" : "activation").filter((grid) => !refused.includes(grid));
    return refused.length === 0 ? [] : [`${use} other than ${shortened(taken)}`];
  });
  const storage = Object.keys(target.refuses.storage ?? {});
  return [...parts, ...(storage.length > 0 ? [storage.join(", ")] : [])].join("; ");
}

test("the page of targets is what their files are", async () => {
  const rows: string[] = [];
  for (const name of targetNames) rows.push(await row(name));
  const text = `# Files of the built-in targets

Printed by \`test/target-files.test.ts\` from a network with convolutions, an addition and a product, lowered for each target: the grids
that it gets, how biases are stored, the operator set that its quantizers need, in which stock sessions the file opens and runs, and what the
target refuses before any work (\`quant/unsupported-grid\`, with the reason). Files for \`tensorrt\`, \`openvino\` and Qualcomm's devices are held against
their rules and against ONNX Runtime; on the devices themselves they were not run. [Targets](targets.md) says how placement reads a target.

| target | weights | activations | biases | opset | opens and runs in | refuses |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join("\n")}
`;
  await expect(text).toMatchFileSnapshot("../docs/target-files.md");
}, 120_000);

test("TensorRT's file has int8 with the zero point 0 throughout, and float biases", async () => {
  const { model: file } = lower(model, await planOf("tensorrt"));
  const quantizers = [...file.graph.nodes].filter(({ op }) => op === "QuantizeLinear" || op === "DequantizeLinear");
  expect(quantizers.length).toBeGreaterThan(6);
  for (const node of quantizers) {
    const zero = node.input(2)!.initializer!;
    expect([zero.dtype, ...new Set(zero.numbers())]).toEqual(["int8", 0]);
  }
});

test("TensorRT's constants next to activations are signed as the values that share their scale", async () => {
  const lookup = parseModel(
    `<ir_version: 10, opset_import: ["" : 21]> f (int64[5] i) => (float[5,8] y) <float[6,8] table> { y = Gather(table, i) }`,
    { seed: 1 },
  );
  const given = seededFeeds(lookup);
  const placed = place(lookup, builtinTarget("tensorrt"), {
    shapes: await traceShapes(lookup, runtimes["ort-node"], given),
  });
  const data = fromArray("i", given.i!.shape, given.i!.floats());
  const feeding = {
    ...data,
    batches: async function* () {
      yield { feeds: given, first: 0, size: 1 };
    },
  };
  const { plan } = await calibrate(lookup, placed, runtimes["ort-node"], feeding as never, { scheme: "minmax" });
  const { model: file } = lower(lookup, plan);
  await using session = await runtimes["ort-node"].open(file);
  expect((await session.run(given)).y!.floats().every(Number.isFinite)).toBe(true);
  for (const node of file.graph.nodes)
    if (node.op === "QuantizeLinear") expect(node.input(2)!.initializer!.dtype).toBe("int8");
});

test("WebGPU's file quantizes no activation", async () => {
  const { model: file } = lower(model, await planOf("ort-web-webgpu"));
  const ops = [...file.graph.nodes].map(({ op }) => op);
  expect(ops).toContain("DequantizeLinear");
  expect(ops).not.toContain("QuantizeLinear");
});

test.each(["int4", "int3"])(
  "WebGPU's file has weights of %s packed in front of DequantizeLinear: no session there widens them",
  async (weights) => {
    const placed = place(model, builtinTarget("ort-web-webgpu"), { shapes, weights: parseGrid(weights) });
    const { model: file } = lower(model, encodeObserved(model, placed, new Map(), "minmax"));
    const nodes = [...file.graph.nodes];
    expect(nodes.some(({ op }) => op === "Cast")).toBe(false);
    const read = nodes.filter(({ op }) => op === "DequantizeLinear").map((node) => node.input(0)!.initializer!.dtype);
    expect(new Set(read)).toEqual(new Set(["int4"]));
    expect(planFromJson(planToJson(placed)).entries.every(({ staysNarrow }) => staysNarrow)).toBe(true);
  },
);

test.each([
  ["ort-web-webgpu", { activations: "uint8" }, /WebGPU has no QuantizeLinear/],
  ["ort-web-webgpu", { weights: "float8e4m3fn" }, /does not open there/],
  ["tensorrt", { activations: "uint8" }, /no zero point/],
  ["tensorrt", { weights: "int2" }, /int4, int8 and float8/],
  ["openvino", { activations: "int16" }, /8 bits/],
] as const)("%s refuses %j with the reason", (name, choice, hint) => {
  const grids = Object.fromEntries(Object.entries(choice).map(([use, grid]) => [use, parseGrid(grid)]));
  expect(() => place(model, builtinTarget(name), { shapes, ...grids })).toThrow(
    expect.objectContaining({
      code: "quant/unsupported-grid",
      detail: expect.objectContaining({ hint: expect.stringMatching(hint) }),
    }),
  );
});

test("AIMET's names stand for the same targets, and per channel is the eNPU without some chains", () => {
  for (const [theirs, ours] of [
    ["default", "aimet-default"],
    ["htp_v73", "htp-v73"],
    ["htp_quantsim_config_v75_per_channel_linear", "htp-v75"],
    ["enpu_v6", "enpu-v6"],
    ["default_config", "aimet-default-per-tensor"],
  ] as const)
    expect(builtinTarget(theirs)).toEqual(builtinTarget(ours));
  const chains = (name: string) => targetFile(name).supergroups.length;
  expect([chains("enpu-v6"), chains("enpu-v7"), chains("enpu-v7-per-channel")]).toEqual([95, 101, 85]);
});
