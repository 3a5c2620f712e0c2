/** Axes as files give them: counted from either end, sometimes beyond both, sometimes twice. */

/** The axis counted from the front; undefined where a value of this rank has no such axis. */
export function axisOf(axis: number, rank: number): number | undefined {
  const found = axis < 0 ? axis + rank : axis;
  return Number.isInteger(found) && found >= 0 && found < rank ? found : undefined;
}

/** The axes counted from the front, in the order given; undefined where one is out of range or given twice. */
export function axesOf(axes: readonly number[], rank: number): ReadonlySet<number> | undefined {
  const found = new Set<number>();
  for (const axis of axes) {
    const one = axisOf(axis, rank);
    if (one === undefined || found.has(one)) return undefined;
    found.add(one);
  }
  return found;
}
