/** docs/tflite.md, written from the table of operators. */
import { isRefused } from "../../base/inner.ts";
import { axisRows } from "./rows/axes.ts";
import { controlRows } from "./rows/control.ts";
import { elementwiseRows } from "./rows/elementwise.ts";
import { linearRows } from "./rows/linear.ts";
import { recurrentRows } from "./rows/recurrent.ts";
import { shapeRows } from "./rows/shapes.ts";
import { tfliteRows } from "./rows/table.ts";

const families: Readonly<Record<string, object>> = {
  "Convolutions, pooling, products": linearRows,
  "Element by element": elementwiseRows,
  "Along axes": axisRows,
  Shapes: shapeRows,
  Recurrent: recurrentRows,
  "Control flow": controlRows,
};

const introduction = `# TensorFlow Lite

Every command takes a \`.tflite\` file, float or quantized; it is told by its content, in Node and from bytes in a browser.

\`\`\`
avocet inspect model.tflite
avocet convert model.tflite -o model.onnx
avocet quantize model.tflite --data samples.npy -o out
\`\`\`

Inputs and outputs keep their names and axes (channels last). Inside, convolutions are channels first: weights and constants are moved
while they are read, and one transpose stands where an operator needs the other order. An open batch stays open.

**Quantized files** become a float model with \`QuantizeLinear\` and \`DequantizeLinear\` where the file has quantized tensors, with its integers,
scales and zero points: activations of int8, uint8 and int16, weights per tensor and per channel, biases of int32. Inputs and outputs are the
floats that the integers stand for, so that the same data goes to the float and to the quantized file. Results are those of TensorFlow Lite but
for single steps, where its fixed-point multipliers round halves the other way. Files of *dynamic range* (weights of 8 bits, float activations)
keep their activations float here; TensorFlow Lite quantizes them as it goes. Weights of float16 are widened, those of 4 bits become int8
of the same numbers.

**Recurrent layers** begin at zero in every run, as after \`reset_all_variables\`. The clip of the cell at 10 that the converter writes is not
applied: a cell gets there after more than ten steps of saturated gates. Files whose operators keep states in variables of their own are refused.

**What cannot be translated** is reported all at once (\`import/unsupported-operator\`), with the names of the outputs, before anything is written.

The list of operators is written from the table (\`npx vitest run src/formats/tflite -u\`); each one is held against TensorFlow Lite itself.
`;

/** The page about TensorFlow Lite, in Markdown. */
export function tflitePage(): string {
  const known = Object.entries(families).map(
    ([family, rows]) => `| ${family} | ${Object.keys(rows).sort().join(", ")} |`,
  );
  const reasons = new Map<string, string[]>();
  for (const [op, row] of Object.entries(tfliteRows)) {
    if (isRefused(row)) reasons.set(row.refused, [...(reasons.get(row.refused) ?? []), op]);
  }
  const refused = [...reasons].map(([reason, ops]) => `| ${ops.sort().join(", ")} | ${reason} |`);
  return [
    introduction,
    "## Operators that are translated",
    "",
    "| family | operators |",
    "| --- | --- |",
    ...known,
    "",
    "## Operators that are not",
    "",
    "| operators | why |",
    "| --- | --- |",
    ...refused,
    "| STABLEHLO_… | StableHLO operators are written only on request: convert to TFLite's own operators |",
    "",
  ].join("\n");
}
