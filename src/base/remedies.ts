/**
 * What to do about an error of a code, where the place that throws it knows nothing better. docs/errors.md has the same
 * sentences; a test compares them.
 */
import type { ErrorCode } from "./error-codes.ts";

export const remedies: Readonly<Record<ErrorCode, string>> = {
  "usage/unknown-option": "avocet help COMMAND lists what there is",
  "usage/bad-value": "the message states the rule; correct the value",
  "usage/missing": "name the option, for example --preprocess FILE.json for images",
  "recipe/invalid": "correct each listed field; an editor checks it against the recipe's JSON Schema",
  "target/unknown": "choose one from the message, or pass the path of a target file",
  "target/invalid": "correct each listed field",
  "import/not-found": "check the path; external data must lie next to the model",
  "import/truncated": "it is damaged or was not copied completely: copy it again",
  "import/malformed": "export the model again; the message names the field",
  "import/unknown-format": "convert it to ONNX",
  "import/unsupported-opset": "export again with a newer opset",
  "import/unsupported-type": "export with a standard type",
  "import/unsupported-operator":
    "export the model without them (the message says what helps), or convert it to ONNX where it was made",
  "import/path-escape": "put the data next to the model, and name it by a relative path",
  "import/changed": "nothing was written that mixes old and new. Repeat the run while nobody writes to its inputs",
  "import/too-large": "the message names the limit; if the model is real, please report it",
  "output/exists": "--force replaces what Avocet made; or choose another",
  "output/is-input": "choose another place. Inputs are never changed, with --force neither",
  "output/not-ours": "remove it yourself, or choose another output",
  "output/busy":
    "wait for it. When there is none (it was killed on another machine), the hint names the lock file to remove",
  "output/not-writable": "choose a folder whose parent can be written. Nothing half-written is left behind",
  "output/too-large": "write the model with external data",
  "tensor/wrong-size": "pass as many elements as the product of the shape",
  "tensor/wrong-dtype": "the message names the array type that fits",
  "text/syntax": "the message has line and column",
  "graph/value-in-use": "redirect the readers first (replaceUses)",
  "graph/name-taken": "choose another, or let the graph make one from a hint",
  "graph/not-found": "print the graph; names are case-sensitive",
  "graph/invalid": "if a pass of yours made the edit, it forgot an edge; the message lists all faults",
  "graph/invalid-node":
    "mend the node or export the model again; the message lists all of them, operators.md what operators take",
  "graph/foreign-value": "clone it, or add it as an input of this graph",
  "pass/diverges": "run them one by one with AVOCET_DEBUG=1, and please report it",
  "pass/unsupported": "the message says which part stands in the way",
  "autodiff/no-gradient":
    "the message names the node and the reason; give a rule of your own (rules), or train less of the model",
  "data/none": "give --data; a function must make a new iterable each time it is called",
  "data/not-found": "check the path",
  "data/wrong-shape": "compare with avocet inspect; preprocessing can resize, crop and change the layout",
  "data/wrong-inputs": "name them as the model does: one array per input",
  "data/wrong-dtype": "convert the array, or set dtype in the preprocessing",
  "data/unreadable": "the message names the file: repair or remove it",
  "data/labels": "one label for each sample, classes numbered from 0 in the order of the model's outputs",
  "data/not-finite":
    "the message names the value: look at the preprocessing and at the float model's own outputs; a training may need a lower rate, or clipped gradients",
  "data/too-large":
    "the message names the limit. Save arrays without compression, which are read by range; give files or arrays, which are read by number, instead of streams",
  "quant/unknown-grid": "int4 uint4 int8 uint8 int16 uint16 …; the message lists them",
  "quant/unsupported-grid": "choose a grid from the message",
  "quant/unsupported-granularity": "choose a size that divides them, or a scale per channel",
  "quant/already-quantized": "start from the float model",
  "quant/unsupported-model": "export it in float32",
  "quant/not-calibrated": "calibrate with data that reaches it, or keep it in float",
  "quant/nothing-to-quantize": "avocet inspect shows its operators; perhaps --float excludes too much",
  "quant/no-such-value": "names are case-sensitive; avocet plan lists them",
  "quant/invalid-plan": "quantize again to get a fresh one",
  "quant/invalid-statistics": "avocet observe writes a fresh one; the message names the value",
  "quant/invalid-encodings": "export it again; the message names the field",
  "quant/unsupported-encodings": "export another version (--format), or quantize with another granularity or grid",
  "runtime/missing": "avocet doctor shows what is there and what to install",
  "runtime/load": "its own words are in the message; avocet inspect helps to find the node",
  "runtime/run": "its own words are in the message: most often an input's shape",
  "runtime/unsupported-type": "cast it inside the graph, or ask for other outputs",
  "runtime/out-of-memory": "a smaller --batch, or fewer --threads",
  "runtime/crashed":
    "the message names what was being done. avocet inspect and avocet optimize --no-execute never execute a model",
  "runtime/stalled": "the model may hold a loop without an end; a model of gigabytes may need a faster machine",
  "compress/nothing-to-compress": "avocet inspect --layers shows the layers; perhaps --ignore excludes too much",
  "compress/unreachable": "a larger share, other --schemes, or fewer layers in --ignore",
  "compress/no-such-layer": "avocet inspect --layers lists the names",
  "gate/missed": "open the report: it says which layers cost most and what to try next",
  "abort/interrupted":
    "nothing half-written is left behind. quantize and train go on from what was finished with --resume",
  "resume/other-run": "repeat the interrupted command as it was, or leave --resume out to begin again",
};
