/** docs/operators.md, written from the table. */
import type { OpRow } from "./row.ts";
import { contribSchemas } from "./schema.generated.ts";
import { families, type OpType, ops } from "./table.ts";

/** The page about all operators that Avocet knows, in Markdown. */
export function operatorsPage(): string {
  const sections = Object.entries(families).map(([family, rows]) =>
    section(`${family[0]!.toUpperCase()}${family.slice(1)}`, Object.keys(rows) as OpType[]),
  );
  return [
    "# Operators",
    "",
    "Every operator with a row in `src/ops`. All others are opaque: they are kept, printed and saved unchanged, passes",
    "leave them alone and quantization treats them as a boundary. This page is written from the table",
    "(`npx vitest run src/ops -u`).",
    "",
    "- *versions*: opsets in which the operator was introduced or changed, up to 26. Models are raised from 7 on.",
    "- *moves data*: every element of the output is an element of the first input or a pad; a quantization grid survives.",
    "- *element-wise*: each output element depends on the elements at the same place only.",
    "- *linear*: holds a weight, whose input is named. *normalizes*: holds parameters of a normalization.",
    "- *counted*: `inspect` counts its multiply-accumulates. *random*: not a function of its inputs alone.",
    "",
    ...sections,
    section("Domain com.microsoft", Object.keys(contribSchemas) as OpType[]),
  ].join("\n");
}

function section(title: string, names: readonly OpType[]): string {
  const lines = names.toSorted().map((name) => {
    const row = ops[name];
    const ends = row.deprecated === undefined ? "" : ` (until ${row.deprecated - 1})`;
    const signature = `${row.inputs.join(", ")} → ${row.outputs.join(", ")}`.replaceAll("*", "…");
    return `| ${name.replace("com.microsoft.", "")} | ${row.versions.join(" ")}${ends} | ${signature} | ${traits(row)} |`;
  });
  return [
    `## ${title}`,
    "",
    "| operator | versions | inputs → outputs | |",
    "| --- | --- | --- | --- |",
    ...lines,
    "",
  ].join("\n");
}

function traits(row: OpRow): string {
  const bare = (index: number) => row.inputs[index]!.replace(/[?*]$/, "");
  return [
    row.movesData && "moves data",
    row.elementwise && "element-wise",
    row.linear && `linear (${bare(row.linear.weight)})`,
    row.normalization && `normalizes (${row.normalization.map(bare).join(", ")})`,
    row.macs && "counted",
    row.random && "random",
  ]
    .filter(Boolean)
    .join(", ");
}
