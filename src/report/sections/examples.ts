/** Samples to look at: what is true, what float answers and what the quantized model answers, next to each other. */
import type { Cells, Example, ShownBox, View } from "../../analysis/inner.ts";
import { cellPaths, cellPicture, classColour, grey } from "../charts/cells.ts";
import { html, type Markup } from "../markup.ts";
import type { RunReport } from "../run-report.ts";
import { textDifference } from "../text-difference.ts";
import { percent, short } from "../words.ts";

/** Null where the metric has nothing to see. */
export function exampleSection({ score }: RunReport): Markup | null {
  const examples = score?.examples ?? [];
  if (!score || examples.length === 0) return null;
  const same = examples.every(({ difference }) => difference === 0);
  return html`<h2>Samples to look at</h2>
  <p>${same ? "Float and quantized answer alike on these." : "First those on which float and quantized differ most, then the first of the data."}
    ${legend(examples[0]!)}</p>
  <div class="grid">${examples.map((example) => card(example, score.names))}</div>`;
}

function legend({ float, input }: Example): string {
  if (float.kind === "boxes") return "Dashed: what is true. Boxes with a score below 0.3 are not drawn.";
  if (float.kind === "mask") return input ? "Classes in colour over the image." : "Classes in colour.";
  return float.kind === "text" ? "Letters that are too many are underlined, missing ones struck out." : "";
}

function card(example: Example, names: readonly string[] | undefined): Markup {
  const { sample, difference, truth, float, quantized } = example;
  const apart = difference === 0 ? "both alike" : `${percent(Math.min(difference, 1), 1)} apart`;
  // Boxes of the truth lie in both pictures.
  const sides = [
    ...(truth && float.kind !== "boxes" ? [["true", truth] as const] : []),
    ["float", float] as const,
    ["quantized", quantized] as const,
  ];
  const lines = float.kind === "text" || float.kind === "signal";
  return html`<div class="card"><h3>sample ${sample} <span class="soft">· ${apart}</span></h3>
    <div class="views${lines ? " lines" : ""}">${sides.map(([name, view]) => html`<figure><figcaption>${name}</figcaption>${drawn(view, name, example, names)}</figure>`)}</div></div>`;
}

type Side = "true" | "float" | "quantized";

function drawn(view: View, side: Side, example: Example, names: readonly string[] | undefined): Markup | null {
  const what = `${side}, sample ${example.sample}`;
  if (view.kind === "text") {
    const truth = side !== "true" && example.truth?.kind === "text" ? example.truth.text : null;
    return html`<p class="mono">${marked(view.text, truth)}</p>`;
  }
  if (view.kind === "image") return cellPicture(view.cells, what, cellPaths(view.cells, grey));
  if (view.kind === "mask") {
    const { cells, classes } = view;
    const under = example.input && alike(example.input, cells) ? [inputPicture(example, side === "true")] : [];
    const over = html`<g opacity="${under.length > 0 ? ".55" : "1"}" stroke-width="1">${cellPaths(cells, (digit) => classColour(classes[digit] ?? 35))}</g>`;
    return cellPicture(cells, `${what}: ${nameList(classes, names)}`, [...under, over]);
  }
  if (view.kind === "signal") return wave(view, side, what, example);
  return boxPicture(view.boxes, example, side, names);
}

function nameList(classes: readonly number[], names: readonly string[] | undefined): string {
  return classes.map((label) => names?.[label] ?? `class ${label}`).join(", ");
}

/** Whether an image can lie below a mask: the same proportions, as near as whole cells show them. */
function alike(a: Cells, b: Cells): boolean {
  return Math.abs(a.width - b.width) <= 1 && Math.abs(a.height - b.height) <= 1;
}

/** The input, drawn once and used again. */
function inputPicture({ input, sample }: Example, isFirst: boolean): Markup {
  const id = `input-${sample}`;
  return isFirst ? html`<g id="${id}">${cellPaths(input!, grey)}</g>` : html`<use href="#${id}"/>`;
}

/** Letters that are too many are underlined, those that are missing struck out. */
function marked(text: string, truth: string | null): Markup | string {
  if (text === "" && !truth) return html`<span class="soft">nothing</span>`;
  if (truth === null || text === truth) return text;
  return html`${textDifference([...text], [...truth]).map(({ kind, part }) =>
    kind === "same" ? part : kind === "more" ? html`<mark>${part}</mark>` : html`<del>${part}</del>`,
  )}`;
}

function boxPicture(
  boxes: readonly ShownBox[],
  example: Example,
  side: Side,
  names: readonly string[] | undefined,
): Markup {
  const { input, truth, sample } = example;
  const { width, height } = input ?? { width: 72, height: 54 };
  const rect = ({ x1, y1, x2, y2 }: ShownBox, kind: string, stroke: string | null, title: string) =>
    html`<rect class="box ${kind}" x="${short(x1 * width)}" y="${short(y1 * height)}" width="${short((x2 - x1) * width)}" height="${short((y2 - y1) * height)}"${stroke === null ? null : html` stroke="${stroke}"`}><title>${title}</title></rect>`;
  const name = (label: number) => names?.[label] ?? `class ${label}`;
  const found = boxes.map((box) =>
    rect(
      box,
      "",
      classColour(box.class),
      `${name(box.class)}${box.score === undefined ? "" : `, score ${box.score.toFixed(2)}`}`,
    ),
  );
  const right =
    truth?.kind === "boxes" ? truth.boxes.map((box) => rect(box, "true", null, `true: ${name(box.class)}`)) : [];
  const under = input
    ? [inputPicture(example, side === "float")]
    : [html`<rect width="${width}" height="${height}" fill="#777"/>`];
  return cellPicture({ width, height }, `${side}, sample ${sample}: ${boxes.length} boxes`, [
    ...under,
    ...right,
    ...found,
  ]);
}

/** Between the lowest and highest number of each stretch, all three on one scale. */
function wave(
  { low, high }: View & { kind: "signal" },
  side: Side,
  what: string,
  { truth, float, quantized }: Example,
): Markup {
  const all = [truth, float, quantized].flatMap((view) => (view?.kind === "signal" ? [...view.low, ...view.high] : []));
  const most = all.reduce((largest, x) => (Number.isFinite(x) ? Math.max(largest, Math.abs(x)) : largest), 0) || 1;
  const y = (x: number) => short(20 - (19 * (Number.isFinite(x) ? x : 0)) / most);
  const above = high.map((x, i) => `${i === 0 ? "M" : "L"}${i} ${y(x)}`).join("");
  const below = low
    .map((x, i) => `L${i} ${y(x - most / 100)}`)
    .reverse()
    .join("");
  return html`<svg viewBox="0 0 ${Math.max(low.length - 1, 1)} 40" preserveAspectRatio="none" style="height:44px" role="img" aria-label="${what}"><path class="wave ${side}" d="${above}${below}Z"/></svg>`;
}
