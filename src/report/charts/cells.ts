/** Pictures of few values as runs of one colour: an SVG needs no image files, and the page's policy allows none. */
import type { Cells } from "../../analysis/inner.ts";
import { html, type Markup } from "../markup.ts";

/** A path for each colour, which `colour` says of a digit. */
export function cellPaths({ width, height, digits }: Cells, colour: (digit: number) => string): Markup[] {
  const strokes = Array.from(digits, (digit) => colour(Number.parseInt(digit, 36)));
  const paths = new Map<string, string>();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; ) {
      const stroke = strokes[y * width + x]!;
      let end = x + 1;
      while (end < width && strokes[y * width + end] === stroke) end++;
      paths.set(stroke, `${paths.get(stroke) ?? ""}M${x} ${y}h${end - x}`);
      x = end;
    }
  }
  return [...paths].map(([stroke, path]) => html`<path stroke="${stroke}" d="${path}"/>`);
}

/** Grey from 0, black, to 15, white, in eight steps: more make a page larger than they make a picture better. */
export function grey(digit: number): string {
  const step = Math.round((Math.min(digit, 15) >> 1) * (15 / 7)).toString(16);
  return `#${step}${step}${step}`;
}

/** One colour a class, far from its neighbours' (the golden angle). */
export function classColour(label: number): string {
  return `hsl(${Math.round((label * 137.508) % 360)},75%,55%)`;
}

/** The frame in which cells are drawn; rows are one unit high. */
export function cellPicture(
  { width, height }: Pick<Cells, "width" | "height">,
  what: string,
  body: readonly Markup[],
): Markup {
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${what}"><g transform="translate(0 .5)" shape-rendering="crispEdges">${body}</g></svg>`;
}
