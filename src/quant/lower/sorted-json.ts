/**
 * Encodings as text: keys sorted and four spaces, as AIMET-onnx writes them, so that the files can be compared. A list longer than the
 * channels of a layer, which blocks have, is on one line: a number a line would be mostly spaces.
 */

/** Numbers of a list that still has a line for each. */
const mostLines = 4096;

/** JSON of four spaces, but for long lists of numbers. */
export function sortedJson(json: Record<string, unknown>): string {
  // Strings hold no raw line break, so that what follows one is never within a name.
  return `${JSON.stringify(sorted(json), null, 4).replace(/\[\n[-+.\deE,\s]+\]/g, ofLongList)}\n`;
}

function ofLongList(list: string): string {
  const numbers = list.slice(1, -1).split(",");
  return numbers.length > mostLines ? `[${numbers.map((one) => one.trim()).join(", ")}]` : list;
}

function sorted(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(sorted);
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, sorted(value)]),
  );
}
