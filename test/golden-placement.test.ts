/** Placement against what AIMET-onnx 2.42 recorded (golden/placement), but for the rules on which we differ on purpose. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readModelFile } from "../src/formats/inner-node.ts";
import { type Model, staticShape } from "../src/ir/inner.ts";
import { foldBatchNorms, hoistConstants, runPasses } from "../src/passes/inner.ts";
import { builtinTarget, isMoved, type PlanEntry, place } from "../src/quant/inner.ts";
import { openRuntime, traceShapes } from "../src/runtime/inner.ts";
import { fixture, golden, missing } from "./fixtures.ts";
import { seededFeeds } from "./same-outputs.ts";

interface Recorded {
  readonly kind: "param" | "activation";
  readonly bw: number;
  readonly sym: boolean;
  readonly axis?: number;
}

/** The rules on which we differ from AIMET, each with its reason. `ours` and `theirs` say which side they explain. */
const rules = [
  {
    rule: "scalar constants stay float",
    reason:
      "the bounds of a Clip, an epsilon or an exponent cost nothing in float, and rounding them changes the function",
    explains: (model: Model, name: string, ours?: PlanEntry, theirs?: Recorded) =>
      !ours && theirs?.kind === "activation" && sizeOfConstant(model, name) === 1,
  },
  {
    rule: "constants beside activations are weights",
    reason: "they are known without data: a plan that called them activations would have to observe them",
    explains: (model: Model, name: string, ours?: PlanEntry, theirs?: Recorded) =>
      ours?.kind === "weight" &&
      theirs?.kind === "activation" &&
      ours.symmetric === theirs.sym &&
      sizeOfConstant(model, name) > 1,
  },
  {
    rule: "what moved data gives is in the plan",
    reason: "AIMET derives these encodings when it exports; here the plan says them, tied to where they come from",
    explains: (model: Model, _: string, ours?: PlanEntry, theirs?: Recorded) =>
      !theirs && ours !== undefined && isMoved(model, ours),
  },
];

function sizeOfConstant(model: Model, name: string): number {
  return model.graph.valuesByName().get(name)?.initializer?.size ?? 0;
}

const configurations = {
  default: "aimet-default",
  "default-per-tensor": "aimet-default-per-tensor",
  ...Object.fromEntries(
    ["v66", "v68", "v69", "v73", "v81", "v85"].map((version) => [`htp_${version}`, `htp-${version}`]),
  ),
  enpu_v6: "enpu-v6",
  enpu_v7: "enpu-v7",
};

const models: Record<string, string> = {
  ...Object.fromEntries(
    [
      "residual",
      "concat-split",
      "upsample-pad",
      "activations",
      "norms",
      "attention-layernorm",
      "mlp-gelu",
      "embedding-rmsnorm-swiglu",
      "lstm",
      "gru",
      "rnn",
    ].map((name) => [name, `placement/${name}.onnx`]),
  ),
  "fixture-resnet20": "cifar10/resnet20_cifar10jpeg_finetuned.onnx",
  "fixture-mobilenetv1": "mobilenetv1-025-imagenet/mobilenet_v1_0.25_224.onnx",
  "fixture-espnet": "espnet-camvid/espnet_camvid.onnx",
  "fixture-fastestdet": "fastestdet-coco/FastestDet.onnx",
  "fixture-dtln1": "dtln-speech-enhancement/model_1.onnx",
  "fixture-stories260k": "llama-stories260k/stories260k_T256.onnx",
};

async function prepared(name: string) {
  const file = models[name]!;
  const model = await readModelFile(file.startsWith("placement/") ? golden(file) : fixture(file));
  await runPasses(model, [hoistConstants, foldBatchNorms]);
  for (const input of model.graph.inputs) {
    // AIMET recorded placements without running the models; any batch reports the element types.
    if (!staticShape(input.type) && input.type?.kind === "tensor")
      input.type = { ...input.type, shape: input.type.shape!.map((d) => (typeof d === "number" ? d : 1)) };
  }
  return { model, shapes: await traceShapes(model, await openRuntime(), seededFeeds(model)) };
}

function describeOurs({ kind, grid, symmetric, granularity }: PlanEntry): string {
  const bits = grid.kind === "float" ? grid.dtype : grid.bits;
  return `${kind === "weight" ? "param" : "activation"} ${bits} ${symmetric}${granularity.kind === "channel" ? ` axis ${granularity.axis}` : ""}`;
}

function describeTheirs({ kind, bw, sym, axis }: Recorded): string {
  return `${kind} ${bw} ${sym}${axis === undefined ? "" : ` axis ${axis}`}`;
}

describe.each(Object.keys(models))("%s", (name) => {
  const reason = missing(models[name]!, `placement/${name}.json`);
  test.skipIf(reason)(`is placed as AIMET does${reason ? ` (${reason})` : ""}`, async () => {
    const { model, shapes } = await prepared(name);
    const recorded = JSON.parse(readFileSync(golden(`placement/${name}.json`), "utf8")) as Record<
      string,
      Record<string, Recorded>
    >;
    const differences: Record<string, string[]> = {};
    for (const [configuration, target] of Object.entries(configurations)) {
      const plan = place(model, builtinTarget(target), { shapes });
      const ours = new Map(plan.entries.map((entry) => [entry.value, entry]));
      const theirs = new Map(Object.entries(recorded[configuration]!));
      const unexplained: string[] = [];
      for (const value of new Set([...ours.keys(), ...theirs.keys()])) {
        const [a, b] = [ours.get(value), theirs.get(value)];
        if (a && b && describeOurs(a) === describeTheirs(b)) continue;
        if (rules.some((rule) => rule.explains(model, value, a, b))) continue;
        unexplained.push(
          `${value}: ours ${a ? describeOurs(a) : (plan.notQuantized.find((l) => l.value === value)?.reason ?? "-")} | AIMET ${b ? describeTheirs(b) : "-"}`,
        );
      }
      if (unexplained.length > 0) differences[configuration] = unexplained;
    }
    expect(differences).toEqual({});
  });
});
