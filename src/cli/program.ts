/** The command line as a function of its arguments and an `Io`: parses, runs one command, explains failures. */
import { Command, CommanderError, Option } from "commander";
import { AvocetError, didYouMean, type ErrorCode } from "../base/inner.ts";
import type { ExitCode } from "./exit.ts";
import { showFailure } from "./failure.ts";
import { type Io, type RawIo, safeIo } from "./io.ts";
import { modelCommands } from "./model-commands.ts";
import { classAxis, common, compressing, data, gates, judging, making, positive, rate } from "./options.ts";
import { strict } from "./strict-options.ts";
import { version } from "./version.ts";

/** Runs one command; never throws. Failures are text on stderr, or `{ "error": … }` on stdout with --json. */
export async function main(args: readonly string[], raw: RawIo): Promise<ExitCode> {
  const io = safeIo(raw);
  const json = args.includes("--json");
  const done: { code: ExitCode } = { code: 0 };
  const program = build(io, args, (code) => {
    done.code = code;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return done.code;
  } catch (error) {
    return fail(error, io, json);
  }
}

function fail(error: unknown, io: Io, json: boolean): ExitCode {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (json) io.out(`${JSON.stringify({ error: usageError(error).toJSON() })}\n`);
    return 2;
  }
  // A signal that fired turns whatever broke because of it into the interruption it is.
  return showFailure(io.signal.aborted ? new AvocetError("abort/interrupted", "interrupted") : error, io, json);
}

/** What commander refuses, in our codes; it has told people already. */
function usageError(error: CommanderError): AvocetError {
  const code = usageCodes[error.code] ?? "usage/bad-value";
  return new AvocetError(code, error.message.replace(/^error: /, ""), { hint: "avocet help COMMAND" });
}

const usageCodes: Readonly<Record<string, ErrorCode>> = {
  "commander.unknownOption": "usage/unknown-option",
  "commander.unknownCommand": "usage/unknown-option",
  "commander.missingArgument": "usage/missing",
  "commander.missingMandatoryOptionValue": "usage/missing",
  "commander.optionMissingArgument": "usage/missing",
  "commander.help": "usage/missing",
};

type Exit = (code: ExitCode) => void;

function build(io: Io, args: readonly string[], exit: Exit): Command {
  const program = new Command("avocet")
    .description("Makes neural networks small and fast enough for the edge.")
    .version(version)
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) });
  inspect(program, io);
  quantize(program, io, args, exit);
  train(program, io, args, exit);
  compress(program, io, exit);
  evaluate(program, io);
  compare(program, io);
  verify(program, io, exit);
  report(program, io);
  modelCommands(program, io, exit);
  for (const command of program.commands) {
    strict(command);
    command.exitOverride().copyInheritedSettings(program);
  }
  completions(program, io);
  help(program);
  return program;
}

/** As commander's own, which shows everything when the command is misspelt. */
function help(program: Command): void {
  const names = program.commands.map((command) => command.name());
  program.helpCommand(false);
  program
    .command("help")
    .description("what a command does, and its options")
    .argument("[command]")
    .addOption(new Option("--json", "a failure as JSON").hideHelp())
    .exitOverride()
    .action((name?: string) => {
      const found = program.commands.find((command) => command.name() === name);
      if (found) found.outputHelp();
      else if (name === undefined) program.outputHelp();
      else {
        throw new AvocetError("usage/unknown-option", `expected a command, got "${name}"`, {
          at: "avocet help",
          hint: didYouMean(name, names) ?? `one of ${names.join(", ")}`,
        });
      }
    });
}

/** The script of a shell is made from all other commands. */
function completions(program: Command, io: Io): void {
  program
    .command("completion")
    .description("a script for bash, zsh or fish that completes commands and options")
    .argument("<shell>", "bash, zsh or fish")
    .addOption(new Option("--json", "a failure as JSON").hideHelp())
    .exitOverride()
    .action(async (shell: string) => io.out((await import("./commands/completion.ts")).completion(program, shell)));
}

function inspect(program: Command, io: Io): void {
  program
    .command("inspect")
    .description("what is in a model, what can be quantized and what not, and why; never executes it")
    .argument("<model>", "a model file")
    .option("--target <target>", "judge for this target", "ort-cpu")
    .option("--layers", "also what each linear layer costs")
    .option("--weights", "also a page of how widely the weights of each channel spread; -o names it")
    .option("--before <model>", "with --weights: what the weights were in this model, drawn next to them")
    .option("-o, --output <file>", "the page to write")
    .option("--force", "replace the file")
    .option("--json", "one JSON document on stdout")
    .action(async (model, options) => (await import("./commands/inspect.ts")).inspect(model, options, io));
}

function quantize(program: Command, io: Io, args: readonly string[], exit: Exit): void {
  const command = program
    .command("quantize")
    .description("post-training quantization: a float model in, a folder with the verified file and a report out")
    .argument("<model>", "a model file");
  making(command).option("--statistics <file>", "ranges from a file of `avocet observe`, instead of --data");
  judging(command, "top1");
  common(command).action(async (model, options) =>
    (await import("./commands/quantize.ts")).quantize(model, { ...options, command: args }, io, exit),
  );
}

function train(program: Command, io: Io, args: readonly string[], exit: Exit): void {
  const command = program
    .command("train")
    .description("quantization-aware training: as quantize, then weights and ranges learn from all the data")
    .argument("<model>", "a model file");
  making(command)
    .option("--epochs <n>", "times that every sample is seen (default 4)", positive)
    .option("--learning-rate <rate>", "the largest rate (default 0.0002)", rate)
    .addOption(new Option("--ranges <how>", "whether ranges learn (default learned)").choices(["learned", "fixed"]))
    .addOption(
      new Option("--batch-norms <how>", "train layers with the batch norms that were folded (default none)").choices([
        "none",
        "frozen",
        "learned",
      ]),
    )
    .option(
      "--teacher <model>",
      "the float model that teaches (default: the given one): of a compressed model the original",
    )
    .option("--evaluate-labels <labels>", "labels of --evaluate, where they do not lie with the data");
  judging(command, "top1");
  common(command).action(async (model, options) =>
    (await import("./commands/train.ts")).train(model, { ...options, command: args }, io, exit),
  );
}

function compress(program: Command, io: Io, exit: Exit): void {
  const command = program
    .command("compress")
    .description(
      "fewer multiply-accumulates or parameters: layers of low rank, fewer channels, chosen by what they lose",
    )
    .argument("<model>", "a model file");
  compressing(command);
  judging(command, "top1");
  common(command).action(async (model, options) =>
    (await import("./commands/compress.ts")).compress(model, options, io, exit),
  );
}

function evaluate(program: Command, io: Io): void {
  const command = program
    .command("evaluate")
    .description("the score of a model, or of a folder made by quantize, on labelled data")
    .argument("<model>", "a model file or a folder of quantize")
    .option("--samples <n>", "N samples spread evenly (default: all), or first:N")
    .option(
      "--simulated",
      "without integer kernels: what was simulated, quantizers as the file says and float between them",
    );
  data(command);
  judging(command, "top1");
  common(command).action(async (model, options) =>
    (await import("./commands/evaluate.ts")).evaluate(model, options, io),
  );
}

function compare(program: Command, io: Io): void {
  const command = program
    .command("compare")
    .description("how close two models are: SQNR, cosine and agreement, per output and per value")
    .argument("<model>", "the reference: a model file")
    .argument("<other>", "a model file or a folder of quantize")
    .option("--samples <n>", "N samples spread evenly (default 64), or first:N");
  classAxis(command);
  data(command);
  common(command).action(async (model, other, options) =>
    (await import("./commands/compare.ts")).compare(model, other, options, io),
  );
}

function verify(program: Command, io: Io, exit: Exit): void {
  const command = program
    .command("verify")
    .description("runs the written file in a stock session, against its simulation and against float")
    .argument("<dir>", "a folder of quantize")
    .option("--float-model <model>", "the float model, when it is no longer where the recipe says")
    .option("--samples <n>", "N samples spread evenly (default 500), or first:N");
  gates(command);
  judging(command);
  data(command);
  common(command).action(async (dir, options) => (await import("./commands/verify.ts")).verify(dir, options, io, exit));
}

function report(program: Command, io: Io): void {
  program
    .command("report")
    .description("one page for one run, or several side by side")
    .argument("[dirs...]", "folders of quantize")
    .option("--sensitivity <file>", "of compress: the page of what each layer may lose, in place of folders")
    .option("-o, --output <file>", "the page to write", "report.html")
    .option("--force", "replace the file")
    .option("--json", "one JSON document on stdout")
    .action(async (dirs, options) => (await import("./commands/report.ts")).report(dirs, options, io));
}
