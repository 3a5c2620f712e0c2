/** How much the answers of two models for one sample differ, in what can be seen of them. */
import { intersectionOverUnion } from "./box-decoder.ts";
import { editDistance } from "./edit-distance.ts";
import type { ShownBox, View } from "./views.ts";

/** How much two views of one sample differ: 0 for equal ones, about 1 for those that have nothing in common. */
export function viewDifference(a: View, b: View): number {
  if (a.kind === "text" && b.kind === "text") {
    return editDistance([...a.text], [...b.text]) / Math.max(a.text.length, b.text.length, 1);
  }
  if (a.kind === "boxes" && b.kind === "boxes") {
    const alone = (some: readonly ShownBox[], others: readonly ShownBox[]) =>
      some.filter((one) => !others.some((two) => two.class === one.class && intersectionOverUnion(one, two) >= 0.5));
    const all = a.boxes.length + b.boxes.length;
    return (alone(a.boxes, b.boxes).length + alone(b.boxes, a.boxes).length) / Math.max(all, 1);
  }
  if (a.kind === "mask" && b.kind === "mask") {
    const of = (view: typeof a) => [...view.cells.digits].map((digit) => view.classes[Number.parseInt(digit, 36)]);
    const [first, second] = [of(a), of(b)];
    return first.filter((label, i) => label !== second[i]).length / Math.max(first.length, 1);
  }
  if (a.kind === "signal" && b.kind === "signal") return apart([...a.low, ...a.high], [...b.low, ...b.high]);
  if (a.kind === "image" && b.kind === "image") {
    const of = (view: typeof a) => [...view.cells.digits].map((digit) => Number.parseInt(digit, 36));
    return apart(of(a), of(b));
  }
  return 1;
}

/** The distance relative to the size of the first. */
function apart(a: readonly number[], b: readonly number[]): number {
  const size = Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));
  const distance = Math.sqrt(a.reduce((sum, x, i) => sum + (x - (b[i] ?? 0)) ** 2, 0));
  return distance === 0 ? 0 : distance / (size || 1);
}
