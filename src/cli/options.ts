/** The options that several commands share, and how their values are read. */
import { type Command, Option } from "commander";
import { AvocetError } from "../base/inner.ts";
import { byteLimit, timeLimit } from "./limit.ts";
import { tolerance } from "./tolerance.ts";

/** Where samples come from. */
export function data(command: Command): void {
  command
    .option("--data <data>", "x.npy, x.npz, a folder of images, a pack's JSON index")
    .option("--preprocess <file>", "JSON that says how samples are decoded")
    .option(
      "--batch-axis <input=axis>",
      'the axis of an input that counts samples, "none": one tensor for all of them (repeatable; default: found)',
      collect,
    )
    .option("--constant <input=number>", "fills an input with this number, for all samples (repeatable)", collect)
    .option(
      "--state <output:input>",
      "feeds an output back as an input of the next sample; begins with zeros (repeatable)",
      collect,
    )
    .option("--sequence <n>", "states begin again after so many samples (default: never)", positive);
}

/** What decides whether an answer is right. Without a metric of its own, a command judges only where it is asked. */
export function judging(command: Command, metric?: "top1"): void {
  command
    .option(
      "--labels <labels>",
      "what is true: y.npy, a text file with a label or a text a line, class folders, boxes.json",
    )
    .option(
      "--metric <name>",
      "top1, top5, miou, map, map50, wer, cer, psnr, si-snr, mse, cosine, recall@K, perplexity, agreement, or a module ./my-metric.mjs",
      metric,
    )
    .option("--decode <file>", "JSON that says how outputs become texts or boxes (wer, cer, map)")
    .option("--ignore-label <n>", "pixels with this label are not judged", whole)
    .option("--classes <file>", "which class of the model a folder or name is: a name a line, or JSON");
  classAxis(command);
}

/** Where outputs hold classes, when the graph does not tell. */
export function classAxis(command: Command): void {
  command.option(
    "--class-axis <axis>",
    "axis of the outputs that holds classes: 1, -1, none, or OUTPUT:AXIS (repeatable; default: by Softmax)",
    collect,
  );
}

/** Which values are quantized, on which grids: what `plan` needs of a recipe, and all that makes a model. */
export function placing(command: Command): Command {
  return command
    .option("--recipe <file>", "a recipe: JSON, or a module's default export (default: avocet.config.*); options win")
    .option("--target <target>", "ort-cpu (default), aimet-default, … or an AIMET quantsim configuration file")
    .option("--weights <grid>", "grid of the weights: int4 int8 int16 …")
    .option("--activations <grid>", "grid of the activations: uint8 int8 uint16 …")
    .option("--granularity <what>", "tensor, channel or block:SIZE")
    .option("--calibration <scheme>", "sqnr (default), minmax, tf_enhanced, percentile:P, mse, entropy")
    .option(
      "--float <selector>",
      "what stays float: a node or value name, an operator type, /regular expression/ or FROM..TO (repeatable)",
      collect,
    )
    .option(
      "--grid <rule>",
      "SELECTOR=w4a16 or SELECTOR=w4,block:32: other grids for some layers (repeatable; the later rule holds)",
      collect,
    )
    .addOption(
      new Option(
        "--form <name>",
        "what weights are stored for: DequantizeLinear, packed int4 in blocks, int8 with inputs rounded as it runs, or half precision",
      ).choices(["qdq", "weight-only", "dynamic", "fp16", "bf16", "qdq+fp16", "weight-only+fp16", "dynamic+fp16"]),
    )
    .addOption(
      new Option(
        "--ports <type>",
        "next to a form with fp16: what inputs and outputs of floats are (default float32)",
      ).choices(["float32", "float16"]),
    )
    .addOption(
      new Option(
        "--accuracy-level <n>",
        "next to --form weight-only: products in float32 (1, default), or of inputs rounded to int8 as it runs (4)",
      ).choices(["1", "4"]),
    )
    .option("--plan <file>", "a plan of `avocet plan`, edited perhaps, instead of all these grids");
}

/** What makes a quantized model: the recipe, the data, and where the result goes. */
export function making(command: Command): Command {
  command.requiredOption("-o, --output <dir>", "folder to make; it appears whole or not at all");
  placing(command)
    .option("--preset <name>", "named list of methods: fast, standard (default), best, or data-free (needs no --data)")
    .option("--method <name>", "a method, with options as name:key=value,… (repeatable, in order)", collect)
    .option("--samples <n>", "calibration samples: N spread evenly (default 500), or first:N")
    .option("--evaluate <data>", "also score float and result on this data")
    .option("--evaluate-samples <n>", "judge on so many of them")
    .option("--seed <n>", "seed of everything random (default 0)", whole)
    .option("--resume", "go on with an interrupted run of the same command")
    .option("--force", "replace the output folder, when Avocet made it and nobody changed it");
  shrinking(command);
  gates(command);
  data(command);
  return command;
}

/** How much smaller a float model becomes, and how it learns again what it lost. */
function shrinking(command: Command): void {
  command
    .option("--target-macs <share>", "share of the multiply-accumulates that may stay: 0.5", fraction)
    .option("--target-bytes <share>", "share of the parameters that may stay: 0.5", fraction)
    .option(
      "--finetune <options>",
      "train the smaller model in float, the given one teaches: epochs=10,temperature=4,flip=true,crop=4",
    );
}

/** What makes a model smaller. */
export function compressing(command: Command): void {
  command
    .requiredOption("-o, --output <dir>", "folder to make; it appears whole or not at all")
    .option("--ratios <file>", "JSON: layers by name, and the share of the cost of each that may stay")
    .option(
      "--schemes <list>",
      "spatial-svd, weight-svd, output-svd (default: these), channel-pruning; several with commas",
    )
    .addOption(
      new Option("--fit <how>", "least squares on data, or singular values alone").choices(["moments", "plain"]),
    )
    .addOption(
      new Option("--selection <how>", "by predicted losses, or by the score of each layer alone").choices([
        "moments",
        "metric",
      ]),
    )
    .option("--candidates <n>", "ratios tried of each layer: k/n (default 32; by metric 10)", positive)
    .option("--monotone", "fit scores so that they do not fall as more is kept")
    .option("--multiple <n>", "ranks and numbers of channels are multiples of it (default 1)", positive)
    .option("--ignore <layer>", "a layer that stays as it is (repeatable)", collect)
    .option("--sensitivity <file>", "sensitivity.json of an earlier run: what it knows is not computed again")
    .option("--samples <n>", "samples that layers are fitted on: N spread evenly (default 500), or first:N")
    .option("--evaluate <data>", "score float and result on this data (default with --labels: on --data)")
    .option("--evaluate-samples <n>", "judge on so many of them")
    .option("--seed <n>", "seed of everything random (default 0)", whole)
    .option("--force", "replace the output folder, when Avocet made it and nobody changed it");
  shrinking(command);
  command.option(
    "--target-latency <time>",
    "what one sample may take, measured here: 2.5ms, or 60% of the given model's",
    timeLimit,
  );
  command.option(
    "--finetune-labels <labels>",
    "labels of --data, for --finetune (default: the given model alone teaches)",
  );
  gates(command);
  data(command);
}

/** What a result must keep to, else the command ends with 3; and where that is recorded. */
export function gates(command: Command): void {
  command
    .option(
      "--max-drop <amount>",
      "gate: the score may be worse than float's by so much: 0.01, 0.5dB, or 2%",
      tolerance,
    )
    .option("--min-agreement <fraction>", "gate: share of decisions on which both choose the same class", fraction)
    .option("--max-bytes <size>", "gate: the file has at most so much: 4MB, or 30% of float's", byteLimit)
    .option("--max-latency <time>", "gate: a sample takes at most so long, here: 2.5ms, or 80% of float's", timeLimit)
    .option("--junit <file>", "write the gates as JUnit's XML; one of an earlier run is replaced")
    .option("--github-summary", "append figures, gates and warnings to the summary of the job ($GITHUB_STEP_SUMMARY)");
}

/** How graphs are run and what is said meanwhile. */
export function common(command: Command): Command {
  return command
    .option("--batch <n>", "samples a run", positive)
    .option("--threads <n>", "threads of the runtime", positive)
    .addOption(
      new Option("--runtime <name>", "what runs the graphs").choices(["ort-node", "ort-web"]).default("ort-node"),
    )
    .option("--quiet", "no progress")
    .option("--json", "one JSON document on stdout, nothing else there");
}

/** Gathers a repeatable option. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** A whole number from zero. */
export function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new AvocetError("usage/bad-value", `expected a whole number, got "${text}"`);
}

/** A share between 0 and 1. */
export function fraction(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new AvocetError("usage/bad-value", `expected a fraction between 0 and 1, got "${text}"`);
}

/** A whole number from one. */
export function positive(text: string): number {
  const value = whole(text);
  if (value > 0) return value;
  throw new AvocetError("usage/bad-value", `expected a whole number above zero, got "${text}"`);
}

/** A number above zero. */
export function rate(text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new AvocetError("usage/bad-value", `expected a number above zero, got "${text}"`);
}
