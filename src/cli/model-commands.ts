/** The commands about models as files: what is in them, and how to change them. Each is defined in commands/. */
import { type Command, Option } from "commander";
import type { ExitCode } from "./exit.ts";
import type { Io } from "./io.ts";
import { collect, common, data, placing, positive } from "./options.ts";

type Exit = (code: ExitCode) => void;

/** Adds them to the program. */
export function modelCommands(program: Command, io: Io, exit: Exit): void {
  optimize(program, io);
  upgrade(program, io);
  convert(program, io);
  weights(program, io);
  extract(program, io);
  print(program, io);
  diff(program, io, exit);
  run(program, io);
  plan(program, io);
  observing(program, io);
  importing(program, io);
  encodings(program, io);
  doctor(program, io, exit);
}

function optimize(program: Command, io: Io): void {
  const command = program
    .command("optimize")
    .description("fewer and faster operators, same outputs: folds, recognises, shares, removes")
    .argument("<model>", "a model file")
    .option("--opset <version>", "raise the model to this opset (default: its own, at least 7)", positive)
    .option("--keep-batch-norm", "do not fold batch normalization into the layers before it")
    .option("--unroll <steps>", "write recurrent layers of at most so many steps out", positive)
    .option("--no-execute", "run nothing, not even what depends on constants alone (for files from strangers)");
  written(command).action(async (model, options) =>
    (await import("./commands/optimize.ts")).optimize(model, options, io),
  );
}

function upgrade(program: Command, io: Io): void {
  const command = program
    .command("upgrade")
    .description("raises a model to a newer opset; its outputs stay")
    .argument("<model>", "a model file")
    .option("--opset <version>", "the opset to reach", positive, 21);
  written(command).action(async (model, options) =>
    (await import("./commands/upgrade.ts")).upgrade(model, options, io),
  );
}

function convert(program: Command, io: Io): void {
  const command = program
    .command("convert")
    .description("any readable format to ONNX: ONNX itself (other storage of its weights) and ONNX text")
    .argument("<model>", "a model of any format that is read (docs/formats.md)")
    .addOption(
      new Option("--external <when>", "weights in files of their own")
        .choices(["auto", "always", "never"])
        .default("auto"),
    )
    .option("--shard-bytes <n>", "largest data file", positive)
    .option("--signature <name>", "which signature of a SavedModel (default: serving_default, or the only one)")
    .option("--channels-first", "images of TensorFlow graphs come in as ONNX has them: batch, channels, height, width");
  written(command).action(async (model, options) =>
    (await import("./commands/convert.ts")).convert(model, options, io),
  );
}

function weights(program: Command, io: Io): void {
  const command = program
    .command("weights")
    .description("puts weights of a state dictionary (.pth, .pt, .safetensors) into a model, by name")
    .argument("<model>", "a model file")
    .requiredOption("--from <file>", "the file of weights");
  written(command).action(async (model, options) =>
    (await import("./commands/weights.ts")).weights(model, options, io),
  );
}

function extract(program: Command, io: Io): void {
  const command = program
    .command("extract")
    .description("a part of a model as a model of its own")
    .argument("<model>", "a model file")
    .option("--to <value>", "a value that the part computes (repeatable; default: the model's outputs)", collect)
    .option("--from <value>", "a value that the part is given (repeatable; default: the inputs it needs)", collect);
  written(command).action(async (model, options) =>
    (await import("./commands/extract.ts")).extract(model, options, io),
  );
}

function print(program: Command, io: Io): void {
  program
    .command("print")
    .description("a model as ONNX text")
    .argument("<model>", "a model file")
    .option("--full", "every element of every tensor; otherwise tensors of more than 8 elements are elided")
    .option("-o, --output <file>", "write the text there")
    .option("--force", "replace the file")
    .option("--json", "one JSON document on stdout")
    .action(async (model, options) => (await import("./commands/print.ts")).print(model, options, io));
}

function diff(program: Command, io: Io, exit: Exit): void {
  program
    .command("diff")
    .description("what differs between two models: interface, operators, attributes, numbers")
    .argument("<model>", "a model file")
    .argument("<other>", "a model file")
    .option("--expect-equal", "gate: exit 3 when anything differs")
    .option("--json", "one JSON document on stdout")
    .action(async (model, other, options) =>
      (await import("./commands/diff.ts")).diff(model, other, options, io, exit),
    );
}

function run(program: Command, io: Io): void {
  const command = program
    .command("run")
    .description("runs a model on data and writes its outputs")
    .argument("<model>", "a model file or a folder of quantize")
    .option("-o, --output <file>", "an .npz with one array per output, samples on the first axis")
    .option("--samples <n>", "N samples spread evenly (default: all), or first:N")
    .option("--force", "replace the file");
  data(command);
  common(command).action(async (model, options) => (await import("./commands/run.ts")).run(model, options, io));
}

function plan(program: Command, io: Io): void {
  const command = program
    .command("plan")
    .description("which values would be quantized, on which grid, and why; needs no data and runs nothing")
    .argument("<model>", "a model file");
  placing(command)
    .option("-o, --output <file>", "write the plan there as JSON")
    .option("--force", "replace the file")
    .option("--json", "one JSON document on stdout")
    .action(async (model, options) => (await import("./commands/plan.ts")).plan(model, options, io));
}

function observing(program: Command, io: Io): void {
  const command = program
    .command("observe")
    .description("what flows through a float model, as a file that `quantize --statistics` takes instead of data")
    .argument("<model>", "a model file")
    .requiredOption("-o, --output <file>", "the JSON to write")
    .option("--samples <n>", "N samples spread evenly (default: all), or first:N")
    .option("--force", "replace the file");
  data(command);
  common(command).action(async (model, options) => (await import("./commands/observe.ts")).observe(model, options, io));
}

function importing(program: Command, io: Io): void {
  const command = program
    .command("import")
    .description("a plan from AIMET's encodings and a float model, or from a model that is quantized already")
    .argument("<source>", "a file of encodings (.encodings, .json), or a quantized ONNX file")
    .option("--model <model>", "the float model that the encodings are for")
    .option("--partial", "what the file does not name is calibrated later (default: it stays float)")
    .option("--strict", "a name that no quantizer takes is an error (default: it is told)");
  placing(command)
    .requiredOption("-o, --output <file>", "the plan to write; of encodings also model.onnx, the quantized model")
    .option("--force", "replace the file")
    .option("--json", "one JSON document on stdout")
    .action(async (source, options) => (await import("./commands/import.ts")).importPlan(source, options, io));
}

function encodings(program: Command, io: Io): void {
  program
    .command("export")
    .description("the encodings of a quantized model as AIMET writes them, for other tools")
    .argument("<dir>", "a folder of quantize")
    .requiredOption("-o, --output <file>", "the file to write")
    .addOption(
      new Option("--format <version>", "version of the format")
        .choices(["0.6.1", "1.0.0", "2.0.0", "2.1.0"])
        .default("1.0.0"),
    )
    .addOption(new Option("--encodings <version>", "the same").choices(["0.6.1", "1.0.0", "2.0.0", "2.1.0"]).hideHelp())
    .option("--float-model <model>", "another float model than the folder's float.onnx")
    .option("--no-int32-bias", "2.0.0 and later: leave out the grids of biases")
    .option("--force", "replace the file")
    .option("--json", "one JSON document on stdout")
    .action(async (dir, options) => (await import("./commands/export.ts")).exportEncodings(dir, options, io));
}

function doctor(program: Command, io: Io, exit: Exit): void {
  program
    .command("doctor")
    .description("what of Node, runtimes, providers and memory is here, and what is missing")
    .option("--json", "one JSON document on stdout")
    .action(async (options) => (await import("./commands/doctor.ts")).doctor(options, io, exit));
}

/** A command that makes one model file. */
function written(command: Command): Command {
  return command
    .requiredOption("-o, --output <file>", "the file to write; it appears whole or not at all")
    .option("--force", "replace the file")
    .option("--json", "one JSON document on stdout");
}
