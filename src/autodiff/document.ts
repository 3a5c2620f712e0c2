/** docs/gradients.md, written from the table. */
import { families, type OpType } from "../ops/inner.ts";
import type { GradientRow } from "./rule.ts";
import { gradientRows } from "./rules.ts";

const introduction = `# Gradients

\`avocet/autodiff\` differentiates an ONNX graph into an ONNX graph, in reverse mode: forward and backward pass are one model
that any runtime executes.

\`\`\`ts
import { gradientModel } from "avocet/autodiff";
import { openRuntime, traceShapes } from "avocet";

const types = await traceShapes(model, await openRuntime(), feeds); // the gradient holds for these lengths
const gradients = gradientModel(model, ["input", "conv1.weight"], { types });
\`\`\`

The result takes the inputs of the model, the constants that were named, and \`gradient_of_<output>\` for what flows back into
each output. It gives the model's outputs and \`gradient_<name>\` for each name. \`differentiate\` does the same inside a
graph that is being built.

- The model needs opset 18 or later (\`avocet upgrade\`), and float32 where gradients flow: ONNX Runtime lacks other types in
  what the rules use. A Cast between float types is fine.
- Axes, pads, lengths and the like must be constants in most rules. A form that a rule does not have is refused with
  \`autodiff/no-gradient\`, which names the node and says why.
- At kinks the gradient is the one that PyTorch gives: 0 for Relu and at the bounds of Clip, an equal share for
  elements that are equally large. More than two equal operands of Max share evenly, too; a chain of \`torch.maximum\` does not.
- QuantizeLinear and DequantizeLinear are differentiated as a pair: straight through inside the range, with gradients to
  scale and zero point.
- If, Loop and Scan need the types inside their bodies: \`traceTypes\` of \`avocet/autodiff\` finds them, too. A Loop or Scan keeps
  what it carries, for every step.
- \`memory\` bounds the bytes of forward values that wait for the backward pass: what is beyond is computed again right before
  it is needed, first what costs no products, then whole segments. The same nodes run on the same values; what
  fast kernels fuse may round otherwise. The peak of a training step of ResNet-20 at batch 128 went from 489 to 289 MB (\`bench/results/recompute.md\`). The budget is a goal: activations of one
  segment, gradients and weights come on top.
- Every rule is tested against central differences, and most against PyTorch.

## Rules of your own

A rule gets the node, what flows back to its outputs, and writes the gradients of its inputs. Rules come by operator name and
before the built-in ones; operators of other domains are named with them, and so are functions of the model.

\`\`\`ts
import { type GradientRow, gradientModel } from "avocet/autodiff";

const rules = new Map<string, GradientRow>([
  // y = x · σ(1.702 x), a function of the model
  ["local.QuickGelu", (b) => {
    const s = b.op("Sigmoid", [b.mul(b.input(0), 1.702)]);
    return [b.mul(b.dy, b.add(s, b.mul(b.mul(b.y, b.sub(b.scalar(1), s)), 1.702)))];
  }],
  ["Round", (b) => [b.dy]], // straight through
  ["ReduceMax", { flat: "frozen here" }], // nothing flows
]);
const gradients = gradientModel(model, ["input"], { types, rules });
\`\`\`

\`b.wants(i)\` tells whether the gradient of an input is asked for, \`b.shapeOf(i)\` its lengths, \`b.gradient(i)\` what flows back to
an output beyond the first, \`b.unbroadcast\` sums what broadcasting repeated.

## Every operator

*rule*: has a gradient. *zero*: its outputs are no floats, or piecewise constant, so nothing flows. *none*: asking for its gradient is
an error, and why. This part is written from the table (\`npx vitest run src/autodiff/document.test.ts -u\`).
`;

/** The page about gradients, in Markdown. */
export function gradientsPage(): string {
  const standard = Object.entries(families).map(([family, rows]) =>
    section(`${family[0]!.toUpperCase()}${family.slice(1)}`, Object.keys(rows) as OpType[]),
  );
  const contributed = (Object.keys(gradientRows) as OpType[]).filter((name) => name.startsWith("com.microsoft."));
  return [introduction, ...standard, section("Domain com.microsoft", contributed)].join("\n");
}

/** Operators with a rule in one line; the others in a table with their reasons. */
function section(title: string, names: readonly OpType[]): string {
  const short = (name: OpType) => name.replace("com.microsoft.", "");
  const sorted = names.toSorted();
  const withRule = sorted.filter((name) => typeof gradientRows[name] === "function").map(short);
  const others = sorted.flatMap((name) => {
    const row: GradientRow = gradientRows[name];
    if (typeof row === "function") return [];
    return [`| ${short(name)} | ${"flat" in row ? `zero: ${row.flat}` : `none: ${row.none}`} |`];
  });
  const table = others.length > 0 ? ["| operator | |", "| --- | --- |", ...others, ""] : [];
  const rules = withRule.length > 0 ? [`*rule*: ${withRule.join(", ")}`, ""] : [];
  return [`### ${title}`, "", ...rules, ...table].join("\n");
}
