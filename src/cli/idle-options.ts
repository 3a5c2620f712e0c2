/** Options that do nothing without another one, or next to one: they are refused, because whoever gives them expects something. */
import type { Command } from "commander";
import { AvocetError } from "../base/inner.ts";
import { isMetricModule } from "./metric-name.ts";

interface Rule {
  /** Commands for which it holds. */
  readonly commands: readonly string[];
  /** Options that need it, by their names in the code. */
  readonly options: readonly string[];
  /** Whether one of them would do nothing, given the values of all options. */
  readonly idle: (given: Readonly<Record<string, unknown>>) => boolean;
  readonly problem: string;
  readonly hint: string;
}

const rules: readonly Rule[] = [
  {
    commands: ["quantize"],
    options: ["labels", "metric", "ignoreLabel", "classes", "decode", "evaluateSamples"],
    idle: ({ evaluate }) => evaluate === undefined,
    problem: "--evaluate DATA next to",
    hint: "it says how the data of --evaluate is judged",
  },
  {
    commands: ["train"],
    options: ["metric", "evaluateLabels", "classes", "decode", "evaluateSamples"],
    idle: ({ evaluate }) => evaluate === undefined,
    problem: "--evaluate DATA next to",
    hint: "it says how the data of --evaluate is judged; --labels are those of the training data",
  },
  {
    commands: ["compress"],
    options: ["metric", "classes", "decode", "evaluateSamples"],
    idle: ({ evaluate, labels }) => evaluate === undefined && labels === undefined,
    problem: "--evaluate DATA or --labels LABELS next to",
    hint: "it says how the model is judged",
  },
  {
    commands: ["compress"],
    options: ["finetuneLabels"],
    idle: ({ finetune }) => finetune === undefined,
    problem: "--finetune OPTIONS next to",
    hint: "they teach the compressed model",
  },
  {
    commands: ["compress"],
    options: ["monotone"],
    idle: ({ selection }) => selection !== "metric",
    problem: "--selection metric next to",
    hint: "predicted losses never fall as more is kept",
  },
  {
    commands: ["quantize", "evaluate"],
    options: ["ignoreLabel"],
    idle: ({ metric }) => metric !== "miou" && !isMetricModule(String(metric)),
    problem: "--metric miou next to",
    hint: "only pixels can be left out",
  },
  {
    commands: ["quantize", "train"],
    options: ["preset"],
    idle: ({ method }) => method !== undefined,
    problem: "either --method or",
    hint: "methods that are named replace a preset",
  },
  {
    commands: ["quantize", "train", "plan"],
    options: ["weights", "activations", "granularity", "float", "grid", "form", "ports", "accuracyLevel"],
    idle: ({ plan }) => plan !== undefined,
    problem: "either --plan or",
    hint: "a plan says the grid of every value already: edit it",
  },
  {
    commands: ["inspect"],
    options: ["output"],
    idle: ({ weights }) => weights === undefined,
    problem: "--weights next to",
    hint: "it names the page of the weights",
  },
  {
    commands: ["convert"],
    options: ["shardBytes"],
    idle: ({ external }) => external === "never",
    problem: "--external always or auto next to",
    hint: "without files of weights there is none to cut",
  },
  {
    commands: ["inspect", "run", "print", "plan"],
    options: ["force"],
    idle: ({ output }) => output === undefined,
    problem: "-o FILE next to",
    hint: "it replaces the file that -o names",
  },
];

/** Throws `usage/missing` for an option that was given and would do nothing. */
export function refuseIdle(command: Command): void {
  const given = command.opts();
  for (const rule of rules) {
    if (!rule.commands.includes(command.name()) || !rule.idle(given)) continue;
    const name = rule.options.find((option) => command.getOptionValueSource(option) === "cli");
    const option = command.options.find((one) => one.attributeName() === name);
    if (!option) continue;
    throw new AvocetError("usage/missing", `expected ${rule.problem} ${option.long}`, {
      at: `avocet ${command.name()}`,
      hint: rule.hint,
    });
  }
}
