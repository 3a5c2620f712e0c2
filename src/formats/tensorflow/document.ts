/** docs/tensorflow.md, written from the table of operators. */
import { operatorFamilies, unsupported } from "./operators.ts";

const introduction = `# TensorFlow

Every command takes graphs of TensorFlow, without Python: a **SavedModel** (its folder, or \`saved_model.pb\` in it; of TensorFlow 1 and 2, and what
Keras exports), a **frozen graph** (\`.pb\`), and a **graph model of TensorFlow.js** (its folder, or \`model.json\`; weights in one file or several, as float32,
float16 or quantized to 8 or 16 bits). Files are told by their content.

Give the folder or the file where a command takes a model: \`avocet convert MODEL -o FILE\`, \`avocet quantize MODEL --data DATA -o DIR\`.
A program calls \`openModel("saved_model", { signature: "serving_default" })\`.

From bytes (in a browser) \`openModel(bytes, { external })\` asks \`external\` for \`variables/variables.index\`, \`variables/variables.data-…\` and
the weights of TensorFlow.js by the names that the file gives them.

**Inputs and outputs.** A SavedModel has signatures; \`serving_default\` is read, or the only one, or the one that \`--signature NAME\` of
\`avocet convert\` names (\`signature\` of \`openModel\`). Inputs and outputs have the signature's names, in the order of the alphabet, which is TensorFlow's own.
A frozen graph says nothing: its placeholders are the inputs, and what nobody reads the outputs. An unknown first length is called \`batch\`;
other unknown lengths are named after their input. Weights and operators keep the names of the graph.

**Channels last, channels first.** Images come in and results go out as the source has them, \`[batch, height, width, channels]\`, so that
preprocessing needs \`"layout": "nhwc"\`. With \`--channels-first\` (\`channelsFirst\`) inputs of rank 4 and 5 are \`[batch, channels, …]\` instead. Inside, the
network is channels first either way: each tensor knows in which order it is stored, axes and constants are translated, and a transpose stands
only where an operator (a matrix product, a reshape that mixes axes) needs the source's order: in most networks one at the input.
Transposes of the source itself cost nothing. SAME padding becomes pads where lengths are known or do not matter, else \`SAME_UPPER\`; zeros around a convolution become its own.

**Functions** are written where they are called. What is computed from known shapes never reaches the graph. Conditions that are known choose their
branch; others become If, or Where between the two sides of TensorFlow 1's Switch and Merge. Loops become Loop; the cells of Keras' LSTM and GRU
(\`reset_after=True\`) in them become LSTM and GRU, which are quantized like [other recurrent layers](recurrent.md). Loops of TensorFlow 1 (Enter, NextIteration, Exit) are not read.

**States.** Variables that a model only reads are weights. Variables that it writes (stateful recurrent layers, moving averages) become an input with the
variable's name and an output \`NAME_next\`: feed zeros first, or what was saved, and then what came out. Nothing is kept between runs.

**Complex numbers** are pairs of tensors; real Fourier transforms become DFT. Signatures cannot hand complex tensors in or out.

**What cannot be written** is reported all at once (\`import/unsupported-operator\`), with the names of the nodes and what helps. What nobody needs for the
outputs (assertions, the branch of dropout) does not matter.

Each operator is held against TensorFlow itself in ONNX Runtime, with all lengths known, with an open batch, and with none known. The list is written from
the table (\`npx vitest run src/formats/tensorflow -u\`).
`;

/** The page about TensorFlow's graphs, in Markdown. */
export function tensorflowPage(): string {
  const lists = Object.entries(operatorFamilies).map(
    ([family, rows]) => `| ${family} | ${Object.keys(rows).sort().join(", ")} |`,
  );
  const limited = Object.values(operatorFamilies).flatMap((rows) =>
    Object.entries(rows).flatMap(([op, { limits }]) => (limits ? [`| ${op} | ${limits} |`] : [])),
  );
  const reasons = new Map<string, string[]>();
  for (const [op, reason] of Object.entries(unsupported)) reasons.set(reason, [...(reasons.get(reason) ?? []), op]);
  return [
    introduction,
    "## Operators that are read",
    "",
    "| family | operators |",
    "| --- | --- |",
    ...lists,
    "",
    "## With limits",
    "",
    "| operator | limit |",
    "| --- | --- |",
    ...limited.sort(),
    "",
    "## Operators that are not",
    "",
    "| operators | what to do |",
    "| --- | --- |",
    ...[...reasons].map(([reason, ops]) => `| ${ops.join(", ")} | ${reason} |`),
    "",
  ].join("\n");
}
