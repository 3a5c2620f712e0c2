/** docs/pytorch.md, written from the table of operators. */
import { families } from "./operators.ts";

export function pytorchPage(): string {
  const rows = Object.entries(families).map(([family, rows]) => {
    const names = Object.keys(rows).sort().join(", ");
    return `| ${family[0]!.toUpperCase()}${family.slice(1)} | ${names} |`;
  });
  return `${text}
| family | operators |
| --- | --- |
${rows.join("\n")}
`;
}

const text = `# PyTorch

Every command takes a \`.pt2\` file, the program that \`torch.export.save\` writes (PyTorch 2.6 and
later, in every layout that its archives have had); it is told by its content, in Node and from bytes in a browser. Large archives are read by range. Nothing of PyTorch is needed, and nothing in the file is run.

\`\`\`
avocet inspect model.pt2
avocet convert model.pt2 -o model.onnx
avocet quantize model.pt2 --data samples.npy -o out
\`\`\`

In Python a program is written once:

\`\`\`python
program = torch.export.export(model.eval(), (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
torch.export.save(program, "model.pt2")
\`\`\`

**What becomes of it.** Weights and buffers keep the names that they have in the module; those that share memory are one initializer. Symbolic lengths
stay symbolic, and lengths that are computed from them become arithmetic in the graph. Inputs and outputs have the names of the program, several of
them in the order in which PyTorch flattens them. Programs are read as exported and after \`run_decompositions()\`. What writes into its argument
(\`add_\`, \`x[1:3] = y\`) is followed into all that shares its memory, unless PyTorch may have made a copy on the way (\`reshape\`):
\`program.run_decompositions({})\` undoes the rest. Parts under \`torch.no_grad()\`, or with autocast off, are read as the rest.

**What cannot be read** is reported all at once (\`import/unsupported-operator\`), with the names of the nodes and their modules, before anything is written:
operators without a form in ONNX, batch norms that train, buffers that the program writes (caches have to be inputs and outputs), control flow
(\`torch.cond\`), masks as an index, packed sequences.

## Weights alone

\`torch.save(model.state_dict(), "weights.pth")\` writes weights without a program. They are listed, and put into a model of the same network by name:

\`\`\`
avocet inspect weights.pth
avocet weights model.onnx --from weights.pth -o tuned.onnx
\`\`\`

Zip archives and the older form without one are read, checkpoints with several things in them (the largest dictionary of tensors is taken), and
\`.safetensors\`. A prefix that the names share, such as \`module.\`, is found. Shapes are compared before anything is written; what matched, what
only the file has and what only the model has is listed. Weights that an export moved (folded into others, transposed) have other names or shapes and
are reported, never guessed. A pickle is read as data: classes are names, and nothing is called. TorchScript and pickles of whole objects hold
programs of Python; the error says the line that exports them.

## Operators

One row holds all overloads of an operator, and its form that writes into its argument. The list is written from the table
(\`npx vitest run src/formats/pytorch -u\`); the operators are held against PyTorch itself, as exported and in core ATen. [Architectures](../bench/results/pytorch.md) with random weights are converted whole.
`;
