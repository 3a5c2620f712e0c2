/** Exported programs of PyTorch (.pt2, torch.export) as a format of files. */
import { AvocetError } from "../../base/inner.ts";
import type { Model } from "../../ir/inner.ts";
import { Archive } from "../archive.ts";
import { type ByteSource, bytesSource } from "../byte-source.ts";
import { emittedModel } from "../channels-last/emitted-model.ts";
import { type Emitter, nameConstant } from "../channels-last/emitter.ts";
import type { SourceFile } from "../source-format.ts";
import { type Program, readProgram } from "./program.ts";
import { layoutOf, type WeightLookup } from "./program-weights.ts";
import { Translation } from "./translate.ts";

/**
 * The model with standard operators; names of weights are those of the module, symbolic lengths keep their names. Throws `import/malformed`,
 * `import/too-large`, `import/unsupported-type`, and one `import/unsupported-operator` for all operators that have no form in ONNX.
 */
export function read({ name, bytes }: SourceFile): Model {
  return readRanges(bytesSource(name, bytes));
}

/** The same of a file of which only ranges are read. */
export function readRanges(source: ByteSource): Model {
  const { name } = source;
  const archive = new Archive(source);
  const { path, weights } = layoutOf(archive, name);
  const program = readProgram(archive.bytes(path)!, name);
  return emittedModel({ file: name, producer: "PyTorch", producerVersion: program.torch }, (emitter) =>
    write(program, weights, emitter, name),
  );
}

function write(program: Program, weights: WeightLookup, e: Emitter, file: string): void {
  const broken = (problem: string) => new AvocetError("import/malformed", problem, { at: file });
  const translation = new Translation(program, file);
  for (const input of program.inputs) {
    if (input.kind === "weight") {
      translation.set(input.name, e.constant(nameConstant(weights(input.weight), input.weight)));
      continue;
    }
    // Inputs that were constants when the program was exported (None, a number, a flag) are written into it.
    if (input.arg.tag !== "as_tensor") continue;
    const { name } = input.arg.value as { name?: unknown };
    const meta = typeof name === "string" ? program.meta(name) : undefined;
    if (typeof name !== "string" || !meta) throw broken("expected the type of an input, got none");
    translation.set(name, e.input(name, meta.dtype, meta.shape));
  }
  translation.run(e);
  const taken = new Set<string>();
  for (const { kind, arg, target } of program.outputs) {
    if (kind !== "user_output" && kind !== "loss_output") {
      throw new AvocetError("import/unsupported-operator", `the program writes into ${target ?? "one of its inputs"}`, {
        at: file,
        hint: "export it so that its state goes in and comes out: model.eval(), and caches as inputs and outputs",
      });
    }
    if (arg.tag !== "as_tensor") continue;
    const { name } = arg.value as { name?: unknown };
    if (typeof name !== "string") throw broken("expected the name of an output, got none");
    let own = name;
    for (let n = 2; taken.has(own); n++) own = `${name}_${n}`;
    taken.add(own);
    e.output(own, translation.term(name));
  }
  if (taken.size === 0) throw broken("expected outputs that are tensors, got none");
}
