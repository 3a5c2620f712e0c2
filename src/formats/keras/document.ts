/** docs/keras.md, written from the table of layers. */
import { isRefused } from "../../base/inner.ts";
import { activations } from "./activations.ts";
import { operationNames } from "./layers/operations.ts";
import { layerFamilies, refusedLayers } from "./layers/table.ts";

const introduction = `# Keras

Every command takes Keras models that were saved whole, by \`model.save\`: \`.keras\` archives of Keras 3 and of \`tf_keras\`, and \`.h5\` files of Keras 2 and 3,
and layers models of TensorFlow.js (a folder with \`model.json\` and its shards, float16 and quantized ones included). They are told by their content, in Node and from bytes in a browser; nothing in them is run.

\`\`\`
avocet inspect model.keras
avocet convert model.h5 -o model.onnx
avocet quantize model.keras --data samples.npy -o out
\`\`\`

Sequential and functional models are read: several inputs and outputs, layers and models that are shared, models in models. Inputs and outputs
are called like their layers and keep their axes (channels last, unless a layer says otherwise); inside, convolutions are channels first, with
weights moved while they are read. An open batch and open lengths stay open. Batch norms are those of inference, and dropout does nothing.

HDF5 is read by a reader of its own, as Keras writes it: superblocks 0 to 3, groups as symbol tables or links, data whole or in chunks behind
deflate, shuffle and checksums.

**What cannot be translated** is reported all at once (\`import/unsupported-operator\`), with the names of the layers, before anything is written:

- subclassed models and layers, and \`Lambda\`: what they do is in code. \`model.export(FOLDER)\` writes a SavedModel, which has the graph.
- masks of steps (\`Masking\`, \`mask_zero\`, attention masks), and recurrent layers that are \`stateful\`.
- an \`.h5\` file with weights alone has no model (\`import/unknown-format\`): load it into the model in Python, and save that whole.

The list is written from the table (\`npx vitest run src/formats/keras -u\`); each layer is held against Keras itself, in up to four forms of files.
[keras-models.md](../bench/results/keras-models.md) has whole architectures.
`;

/** The page about Keras, in Markdown. */
export function kerasPage(): string {
  const known = Object.entries(layerFamilies).map(
    ([family, rows]) => `| ${family} | ${Object.keys(rows).sort().join(", ")} |`,
  );
  const reasons = new Map<string, string[]>();
  for (const [name, row] of Object.entries(refusedLayers)) {
    if (isRefused(row)) reasons.set(row.refused, [...(reasons.get(row.refused) ?? []), name]);
  }
  return [
    introduction,
    "## Layers that are translated",
    "",
    "| family | layers |",
    "| --- | --- |",
    ...known,
    "",
    `Activations: ${Object.keys(activations).sort().join(", ")}.`,
    "",
    `Operations among layers (\`a * 2 + b\`, \`keras.ops\`): ${[...new Set(operationNames)].sort().join(", ")}.`,
    "",
    "## Layers that are not",
    "",
    "| layers | why |",
    "| --- | --- |",
    ...[...reasons].map(([reason, names]) => `| ${names.sort().join(", ")} | ${reason} |`),
    "",
  ].join("\n");
}
